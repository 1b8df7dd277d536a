import { metricDefinitions } from '../../../lib/prometheus/metric-definitions.js';
import { codeIn, readDocument, tableAfter } from './markdown.js';

const document = readDocument('docs/operations/metrics.md');

describe('docs/operations/metrics.md', () => {
  it('has every metric with its kind and labels', () => {
    const told = tableAfter(document, '## All metrics').map(([name, kind, labels]) => [
      codeIn(name)[0],
      kind,
      codeIn(labels.replace(/\([^)]*\)/g, '')),
    ]);
    const defined = Object.values(metricDefinitions).map(({ name, kind, labelNames }) => [
      name,
      kind,
      [...labelNames],
    ]);
    expect(told).toEqual(defined);
  });

  it('asks for metrics that there are, in its queries', () => {
    const queries = tableAfter(document, '## Questions and queries').flatMap(([, query]) => codeIn(query));
    const asked = queries.flatMap((query) => query.match(/disco_bus_\w+/g) ?? []);
    const names = Object.values(metricDefinitions).map(({ name }) => name);
    expect(asked.length).toBeGreaterThan(5);
    expect(asked.filter((each) => !names.includes(each.replace(/_(?:bucket|sum|count)$/, '')))).toEqual([]);
  });
});
