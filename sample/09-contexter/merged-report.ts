import { appendFile, open } from 'node:fs/promises';
import type { Finding } from './file-task.js';

/** Findings by path. */
export type Findings = Map<string, Finding>;

/**
 * What all workers have found, in one file: a line for each finding. Adding what was added before changes nothing. A process
 * that dies while it writes leaves half a line, which is skipped: whoever gets its files writes it again.
 */
export class MergedReport {
  private readonly findings: Findings = new Map();
  private position = 0;

  constructor(private readonly file: string) {}

  /** Adds `found`. One at a time, or lines run into each other: the caller holds the lock. */
  async add(found: Findings): Promise<void> {
    const lines = [...found].map((finding) => JSON.stringify(finding));
    // The first end of line is for a half one that may stand before.
    await appendFile(this.file, `\n${lines.join('\n')}\n`);
  }

  /** Everything that is there now. */
  async read(): Promise<Findings> {
    const bytes = await this.readOn();
    const whole = bytes.subarray(0, bytes.lastIndexOf('\n') + 1);
    this.position += whole.length;
    for (const line of whole.toString('utf8').split('\n')) this.take(line);
    return this.findings;
  }

  private async readOn(): Promise<Buffer> {
    const file = await open(this.file, 'a+');
    try {
      const { size } = await file.stat();
      const room = Buffer.alloc(size - this.position);
      const { bytesRead } = await file.read(room, 0, room.length, this.position);
      return room.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  }

  private take(line: string): void {
    try {
      const [path, finding] = JSON.parse(line) as [string, Finding];
      this.findings.set(path, finding);
    } catch {
      // Empty, or half a line.
    }
  }
}
