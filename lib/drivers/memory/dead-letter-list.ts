import type { DeadLetter, DeadLetterRange, DeadLetterStore } from '../../driver/dead-letters.js';

/** What a group keeps of dead letters. */
export interface DeadLetterBounds {
  readonly maxLength: number;
  /** Bytes of their frames. The newest stays, whatever its size. */
  readonly maxBytes: number;
}

/** The dead letters of one group, oldest first. */
export class DeadLetterList implements DeadLetterStore {
  private readonly letters = new Map<string, DeadLetter>();
  private bytes = 0;

  /**
   * `onReplay` hands a letter's frame back to the group; `onOutlived` is called when so many of the oldest gave way to one
   * beyond the bounds: with `maxBytes` where that was reached.
   */
  constructor(
    private readonly bounds: DeadLetterBounds,
    private readonly onReplay: (letter: DeadLetter) => void,
    private readonly onOutlived: (dropped: number, maxBytes: number | undefined) => void,
  ) {}

  /** All of them; a copy. */
  get all(): DeadLetter[] {
    return [...this.letters.values()];
  }

  /** Keeps a letter; its position must be one of its own, and later than those before. */
  add(letter: DeadLetter): void {
    const { maxLength, maxBytes } = this.bounds;
    this.letters.set(letter.position, letter);
    this.bytes += letter.frame.byteLength;
    const isTooLarge = this.bytes > maxBytes;
    let dropped = 0;
    for (const oldest of this.letters.values()) {
      const isOver = this.letters.size > maxLength || this.bytes > maxBytes;
      if (!isOver || oldest === letter) break;
      this.take(oldest.position);
      dropped++;
    }
    if (dropped > 0) this.onOutlived(dropped, isTooLarge ? maxBytes : undefined);
  }

  async count(): Promise<number> {
    return this.letters.size;
  }

  async list({ after, limit }: DeadLetterRange): Promise<DeadLetter[]> {
    const letters = this.all;
    const start = after === undefined ? 0 : letters.findIndex(({ position }) => isLater(position, after));
    return start < 0 ? [] : letters.slice(start, start + limit);
  }

  async replay(position: string): Promise<boolean> {
    const letter = this.take(position);
    if (letter) this.onReplay(letter);
    return letter !== undefined;
  }

  async remove(position: string): Promise<boolean> {
    return this.take(position) !== undefined;
  }

  async purge(): Promise<number> {
    const { size } = this.letters;
    this.letters.clear();
    this.bytes = 0;
    return size;
  }

  private take(position: string): DeadLetter | undefined {
    const letter = this.letters.get(position);
    if (!letter) return undefined;
    this.letters.delete(position);
    this.bytes -= letter.frame.byteLength;
    return letter;
  }
}

/** Positions are `<milliseconds>-<count>`. */
function isLater(left: string, right: string): boolean {
  const [leftMs, leftCount] = left.split('-').map(Number);
  const [rightMs, rightCount] = right.split('-').map(Number);
  return leftMs === rightMs ? leftCount > rightCount : leftMs > rightMs;
}
