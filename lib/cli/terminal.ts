import { createInterface } from 'node:readline/promises';
import type { Readable, Writable } from 'node:stream';

/** What a command reads from and writes to. */
export interface Streams {
  readonly stdin: Readable & { isTTY?: boolean };
  readonly stdout: Writable & { isTTY?: boolean };
  readonly stderr: Writable & { isTTY?: boolean };
}

const tones = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;

/** How a text stands out where there are colours. */
export type Tone = keyof typeof tones;

/** Gives a text a tone, or leaves it as it is. */
export type Paint = (tone: Tone | undefined, text: string) => string;

const plain: Paint = (_, text) => text;
const coloured: Paint = (tone, text) =>
  tone === undefined ? text : `\u001b[${tones[tone]}m${text}\u001b[0m`;

/** Data goes to `out`, everything else to `tell`. Colours are for terminals, unless the environment says otherwise. */
export class Terminal {
  /** Of what goes out. */
  readonly paint: Paint;
  /** Whoever reads the output has closed it. */
  readonly closed = new AbortController();

  constructor(
    private readonly streams: Streams,
    private readonly env: Readonly<Record<string, string | undefined>>,
  ) {
    this.paint = this.paintFor(streams.stdout);
    for (const stream of [streams.stdout, streams.stderr]) {
      stream.on('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'EPIPE' || error.code === 'ERR_STREAM_DESTROYED') this.closed.abort();
        else throw error;
      });
    }
  }

  /** Whether somebody looks at the output as it comes. */
  get isScreen(): boolean {
    return this.streams.stdout.isTTY === true;
  }

  out(text: string): void {
    if (!this.closed.signal.aborted) this.streams.stdout.write(`${text}\n`);
  }

  tell(text: string): void {
    if (!this.closed.signal.aborted) this.streams.stderr.write(`${text}\n`);
  }

  tellFailure(text: string): void {
    const paint = this.paintFor(this.streams.stderr);
    this.tell(`${paint('red', 'disco-bus:')} ${printable(text)}`);
  }

  /** Whether somebody is there who can be asked. */
  get canAsk(): boolean {
    return this.streams.stdin.isTTY === true && this.streams.stderr.isTTY === true;
  }

  /** The user's editor, as a shell runs it; undefined where none is set. */
  get editor(): string | undefined {
    return this.env.VISUAL || this.env.EDITOR || undefined;
  }

  /** Asks for a yes; undefined where nobody can be asked. */
  async confirm(question: string, signal: AbortSignal): Promise<boolean | undefined> {
    const { stdin, stderr } = this.streams;
    if (!this.canAsk) return undefined;
    const lines = createInterface({ input: stdin, output: stderr, terminal: false });
    try {
      const ended = new Promise<string>((resolve) => lines.once('close', () => resolve('')));
      const answer = await Promise.race([
        lines.question(`${printable(question)} Go on? [y/N] `, { signal }),
        ended,
      ]);
      return /^y(es)?$/i.test(answer.trim());
    } catch (error) {
      if (signal.aborted) return false;
      throw error;
    } finally {
      lines.close();
    }
  }

  /** All that is piped in, as text. */
  async input(): Promise<string> {
    return (await this.bytes()).toString('utf8');
  }

  /** All that is piped in. */
  async bytes(): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for await (const chunk of this.streams.stdin) chunks.push(Buffer.from(chunk as Uint8Array));
    return Buffer.concat(chunks);
  }

  private paintFor(stream: { isTTY?: boolean }): Paint {
    const { NO_COLOR = '', FORCE_COLOR = '' } = this.env;
    if (NO_COLOR !== '') return plain;
    if (FORCE_COLOR !== '') return FORCE_COLOR === '0' || FORCE_COLOR === 'false' ? plain : coloured;
    return stream.isTTY ? coloured : plain;
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not reach a terminal.
const controls = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/** A text that anybody may have written to the server, without what would steer a terminal. */
export function printable(text: string): string {
  return text.replace(controls, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
