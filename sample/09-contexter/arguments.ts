import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

/** What the command line says. */
export interface Arguments {
  readonly directory: string;
  readonly extensions: ReadonlySet<string>;
  readonly maxBytes: number;
  /** Processes beside this one; 0: this one does the work. */
  readonly workers: number;
  /** Where the context file goes. */
  readonly out: string;
}

export const usage = `npm run sample contexter -- <directory> [options]
  --ext go,ts        which files [go]
  --out context.md   where the context goes [context.md]
  --max-bytes n      larger files are reported, not read [1048576]
  --workers n        processes that share the work [0: this one]; needs DISCO_BUS_URL=redis://…`;

/** Reads the command line; throws an Error that says what is wrong with it. */
export function readArguments(given: string[], from = process.env.INIT_CWD ?? process.cwd()): Arguments {
  const { values, positionals } = parseArgs({
    args: given,
    allowPositionals: true,
    options: {
      ext: { type: 'string', default: 'go' },
      out: { type: 'string', default: 'context.md' },
      'max-bytes': { type: 'string', default: '1048576' },
      workers: { type: 'string', default: '0' },
    },
  });
  if (positionals.length !== 1) throw new Error('Name one directory');
  const workers = wholeNumber('--workers', values.workers);
  if (workers > 0 && !process.env.DISCO_BUS_URL) throw new Error('--workers needs DISCO_BUS_URL=redis://…');
  return {
    directory: resolve(from, positionals[0]),
    extensions: new Set(values.ext.split(',').map((extension) => extension.trim().replace(/^\./, ''))),
    maxBytes: wholeNumber('--max-bytes', values['max-bytes']),
    workers,
    out: resolve(from, values.out),
  };
}

function wholeNumber(option: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new Error(`${option} must be a whole number`);
}
