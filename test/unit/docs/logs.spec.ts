import { logEvents } from '../../../lib/bus/options/bus-logger.js';
import { codeIn, readDocument, tableAfter } from './markdown.js';

it('docs/operations/logs.md lists every event of the log', () => {
  const listed = tableAfter(readDocument('docs/operations/logs.md'), '## Events of the log');
  expect(listed.map(([event]) => codeIn(event)[0])).toEqual([...logEvents]);
});
