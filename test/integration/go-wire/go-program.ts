import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** Whether `go` is on the PATH; its version, or undefined. */
function goVersion(): string | undefined {
  try {
    return execFileSync('go', ['version'], { stdio: ['ignore', 'pipe', 'ignore'] })
      .toString()
      .trim();
  } catch {
    return undefined;
  }
}

const version = goVersion();

/**
 * Tests against a program in Go that leads to the Redis at `port`; where there is no Go each of them is skipped, and the
 * run says so.
 */
export function describeGo(
  what: string,
  port: () => number,
  tests: (it: jest.It, peer: () => GoPeer) => void,
): void {
  let peer: GoPeer;
  if (version !== undefined) {
    describe(`${what}, against ${version}`, () => {
      beforeAll(() => {
        peer = new GoPeer(port());
      }, 120_000);
      afterAll(() => peer.remove());
      tests(it, () => peer);
    });
    return;
  }
  process.stderr.write(`SKIPPED, as there is no "go" on the PATH: ${what}, against a program in Go\n`);
  describe(`${what}, against a program in Go (skipped: no "go" on the PATH)`, () =>
    tests(it.skip as jest.It, () => peer));
}

/** The program of `go-peer`, built from source, that leads to the Redis at `port`. */
export class GoPeer {
  private readonly directory = mkdtempSync(join(tmpdir(), 'disco-go-'));
  private readonly binary = join(this.directory, 'go-peer');

  constructor(private readonly port: number) {
    execFileSync('go', ['build', '-o', this.binary, join(__dirname, 'go-peer', 'main.go')], {
      env: { ...process.env, GO111MODULE: 'off', CGO_ENABLED: '0' },
    });
  }

  /** Runs one command to its end and resolves with what it printed. */
  async run(args: readonly string[], input: Uint8Array = Buffer.of()): Promise<string> {
    const child = this.start(args);
    // Commands that take no input may be over before this is written.
    child.stdin.on('error', () => undefined).end(input);
    return (await child.stdout.toArray()).join('').trim();
  }

  /** Subscribes and resolves when that is live, with a promise of the next `count` messages. */
  async subscribe(topic: string, count: number): Promise<{ messages: Promise<Buffer[]> }> {
    const lines = createInterface(this.start(['subscribe', topic, String(count)]).stdout);
    const iterator = lines[Symbol.asyncIterator]();
    await iterator.next();
    const collect = async () => {
      const messages: Buffer[] = [];
      for await (const line of { [Symbol.asyncIterator]: () => iterator }) {
        messages.push(Buffer.from(line, 'hex'));
      }
      return messages;
    };
    return { messages: collect() };
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  private start(args: readonly string[]): ChildProcessWithoutNullStreams {
    const child = spawn(this.binary, [`127.0.0.1:${this.port}`, ...args]);
    const errors: Buffer[] = [];
    child.stderr.on('data', (chunk: Buffer) => errors.push(chunk));
    void once(child, 'close').then(([code]) => {
      if (code !== 0) throw new Error(`the Go program ended with ${code}: ${Buffer.concat(errors)}`);
    });
    return child;
  }
}
