import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { join } from 'node:path';

const root = join(__dirname, '..', '..');

/** What a sample printed and its exit code. */
export interface SampleResult {
  readonly output: string;
  readonly code: number | null;
}

/** A sample that runs as `npm run sample <name> -- <args>` would run it. */
export class RunningSample {
  readonly ended: Promise<SampleResult>;
  private output = '';
  private readonly child: ChildProcessWithoutNullStreams;

  constructor(name: string, env: Record<string, string> = {}, args: readonly string[] = []) {
    const { DISCO_BUS_URL: _url, ...inherited } = process.env;
    this.child = spawn(process.execPath, [join(root, 'tools', 'sample.mjs'), name, ...args], {
      cwd: root,
      env: { ...inherited, NO_COLOR: '1', ...env },
      timeout: 100_000,
    });
    this.child.stdout.on('data', (chunk) => (this.output += chunk));
    this.child.stderr.on('data', (chunk) => (this.output += chunk));
    this.ended = new Promise((resolve) =>
      this.child.once('close', (code) => resolve({ output: this.output, code })),
    );
  }

  /** Resolves with the match when the sample has printed it; rejects when it has ended before. */
  prints(expression: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const match = expression.exec(this.output);
        if (match) resolve(match);
      };
      this.child.stdout.on('data', look);
      look();
      void this.ended.then(({ output }) => reject(new Error(`never printed ${expression}: ${output}`)));
    });
  }
}

/** Runs a sample to its end. */
export function runSample(
  name: string,
  env: Record<string, string> = {},
  args: readonly string[] = [],
): Promise<SampleResult> {
  return new RunningSample(name, env, args).ended;
}
