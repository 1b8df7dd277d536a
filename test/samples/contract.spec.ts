import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeSample } from './describe-sample.js';

function expectTheStory({ output, code }: { output: string; code: number | null }): void {
  const told = [
    'Two services share a contract, and one of them is a version behind',
    'p1 is given "Ada", family "Lovelace"',
    'p2 is given "Grace", family "Hopper"',
    'asked for p1: Dear Ada',
    'asked for p2: Dear Grace',
    'asked for p3: Hello, stranger',
    'refused: The payload for "people.named" is not valid: name: ',
  ];
  for (const line of told) expect(output).toContain(line);
  expect(output.match(/ is given /g)).toHaveLength(2);
  expect(code).toBe(0);
}

describeSample('contract', expectTheStory);

it('shares a contract that needs nothing but the contract entry and the schemas', () => {
  const folder = join(process.cwd(), 'sample/11-contract/contract');
  const sources = readdirSync(folder).map((file) => readFileSync(join(folder, file), 'utf8'));
  const imported = sources.flatMap((source) =>
    [...source.matchAll(/from '([^']+)'/g)].map(([, from]) => from),
  );
  expect([...new Set(imported)].sort()).toEqual(['nestjs-disco-bus/contract', 'zod']);
});
