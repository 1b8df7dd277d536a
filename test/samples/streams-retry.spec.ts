import { describeSample } from './describe-sample.js';

function expectTheStory({ output, code }: { output: string; code: number | null }): void {
  const told = [
    'invoice 1 charged at attempt 1',
    'invoice 2 charged at attempt 3',
    'dead letter: invoice 4, unrecoverable after 1 attempt(s): a negative amount',
    'dead letter: invoice 3, attempts after 3 attempt(s): the bank does not answer',
    'bank repaired, 1 invoice replayed',
    'invoice 3 charged at attempt 1',
    '1 dead letter purged',
  ];
  for (const line of told) expect(output).toContain(line);
  expect(output.match(/charged/g)).toHaveLength(3);
  expect(code).toBe(0);
}

describeSample('streams-retry', expectTheStory);
