import type { DeadLetter, DeadLetterRange, DeadLetterStore } from '../../driver/dead-letters.js';

/** The dead letters of one group, oldest first. */
export class DeadLetterList implements DeadLetterStore {
  private readonly letters = new Map<string, DeadLetter>();

  /**
   * `onReplay` hands a letter's frame back to the group; `onOutlived` is called when the oldest gave way to one beyond
   * `maxLength`.
   */
  constructor(
    private readonly maxLength: number,
    private readonly onReplay: (letter: DeadLetter) => void,
    private readonly onOutlived: () => void,
  ) {}

  /** All of them; a copy. */
  get all(): DeadLetter[] {
    return [...this.letters.values()];
  }

  /** Keeps a letter; its position must be one of its own, and later than those before. */
  add(letter: DeadLetter): void {
    this.letters.set(letter.position, letter);
    if (this.letters.size <= this.maxLength) return;
    const [oldest] = this.letters.keys();
    this.letters.delete(oldest);
    this.onOutlived();
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
    const letter = this.letters.get(position);
    if (!letter) return false;
    this.letters.delete(position);
    this.onReplay(letter);
    return true;
  }

  async remove(position: string): Promise<boolean> {
    return this.letters.delete(position);
  }

  async purge(): Promise<number> {
    const { size } = this.letters;
    this.letters.clear();
    return size;
  }
}

/** Positions are `<milliseconds>-<count>`. */
function isLater(left: string, right: string): boolean {
  const [leftMs, leftCount] = left.split('-').map(Number);
  const [rightMs, rightCount] = right.split('-').map(Number);
  return leftMs === rightMs ? leftCount > rightCount : leftMs > rightMs;
}
