import { writeFile } from 'node:fs/promises';
import { type ContractChange, contractChanges } from '../../asyncapi/contract-changes.js';
import { type Command, flag, positional, valued } from '../command.js';
import { documentOf } from '../contract-files.js';
import { exitCodes, usageError } from '../exit-codes.js';
import type { Run } from '../run.js';
import { count } from '../text.js';

const FILE = 'A module that exports definitions, which is run, or an AsyncAPI document as .json';

/** `disco-bus contract …` */
export const contract: Command = {
  summary: 'Writes a contract as an AsyncAPI document, and tells what of it has changed.',
  commands: {
    export: {
      summary: 'Prints the AsyncAPI 3.0 document of a contract.',
      details:
        'Definitions are what the module exports by name, by default, or in an object. What the document cannot tell is on stderr.',
      examples: ['contract export dist/contract.js --out contract.json --title Shop'],
      args: {
        file: positional(FILE),
        out: valued('file', 'Where to write it. Default: stdout'),
        title: valued('text', "The document's title. Default: the name of the file"),
        'api-version': valued('text', "The document's version. Default: 0.0.0"),
      },
      offline: true,
      run: exportDocument,
    },
    check: {
      summary: 'Compares a contract with an earlier one; ends with 7 where something breaks.',
      details:
        'Releases run side by side: the new one reads what the old one sent, and the old one what the new one sends.\nWhat cannot be compared ends with 7 as well.',
      examples: [
        'contract check contract.json dist/contract.js',
        'contract check old.json new.json --handlers-first --json',
      ],
      args: {
        old: positional(FILE),
        new: positional('The same of what it is to become'),
        'handlers-first': flag('Handlers are deployed before anybody publishes or asks with the new release'),
        'allow-unknown': flag('What cannot be compared is told, and no failure'),
        json: flag('One line of JSON: every change, and how many of each level'),
      },
      offline: true,
      run: checkContracts,
    },
  },
};

async function exportDocument({ given, terminal }: Run): Promise<void> {
  const names = { title: given.text('title'), version: given.text('api-version') };
  const { document, warnings } = await documentOf(given.word('file'), names);
  const text = JSON.stringify(document, undefined, 2);
  const out = given.text('out');
  if (out === undefined) terminal.out(text);
  else await written(out, `${text}\n`);
  for (const { topic, version, missing, reason } of warnings) {
    const of = version === undefined ? '' : `, version ${version}`;
    terminal.tellFailure(`"${topic}"${of}: the document has no ${missing}: ${reason}`);
  }
}

async function written(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text);
  } catch (error) {
    throw usageError(`--out cannot be written: ${(error as NodeJS.ErrnoException).code}`);
  }
}

async function checkContracts(run: Run): Promise<void> {
  const { given, terminal } = run;
  const before = await documentOf(given.word('old'));
  const now = await documentOf(given.word('new'));
  const handlersFirst = given.has('handlers-first');
  const changes = contractChanges(before.document, now.document, { handlersFirst });
  const many = (level: ContractChange['level']) => changes.filter((each) => each.level === level).length;
  const [breaking, unknown, compatible] = [many('breaking'), many('unknown'), many('compatible')];
  if (breaking > 0 || (unknown > 0 && !given.has('allow-unknown'))) run.exitCode = exitCodes.breaking;
  run.show({ breaking, unknown, compatible, changes }, () => {
    const colours = { breaking: 'red', unknown: 'yellow', compatible: 'dim' } as const;
    const lines = changes.map((change) => {
      const { level } = change;
      return `${terminal.paint(colours[level], level)}: ${lineOf(change)}`;
    });
    const sum = `${count(breaking, 'breaking change')}, ${unknown} that cannot be compared, ${compatible} compatible`;
    return [...lines, sum].join('\n');
  });
}

function lineOf({ topic, part, version, path, text, breaks, level }: ContractChange): string {
  const where = [part, ...(version === undefined ? [] : [`version ${version}`]), ...(path ? [path] : [])];
  const whose = {
    'new-readers': ' (the new release refuses what the old one sent)',
    'old-readers': ' (the old release refuses, or misses, what the new one sends)',
  };
  const look = level === 'unknown' ? ' (it cannot be compared: look yourself)' : '';
  return `"${topic}", ${where.join(', ')}: ${text}${breaks === undefined ? look : whose[breaks]}`;
}
