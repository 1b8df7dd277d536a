import {
  type DeadLetter,
  type DeadLetterRange,
  type DeadLetterStore,
  severalMessages,
} from '../../driver/dead-letters.js';
import type { DeadLetterCounts } from '../../driver/inspection.js';

/** What a group keeps of dead letters. */
export interface DeadLetterBounds {
  readonly maxLength: number;
  /** Bytes of their frames. The newest stays, whatever its size. */
  readonly maxBytes: number;
}

/** A dead letter, and how much of its frame the group has given up. */
export interface KeptLetter {
  readonly letter: DeadLetter;
  /** How many messages the frame holds. */
  readonly messages: number;
  /** Those of them that were settled otherwise. */
  readonly settledParts?: ReadonlySet<number>;
}

/** The dead letters of one group, oldest first. */
export class DeadLetterList implements DeadLetterStore {
  private readonly letters = new Map<string, KeptLetter>();
  private bytes = 0;

  /**
   * `onReplay` hands a letter's frame back to the group; `onOutlived` is called when so many of the oldest gave way to one
   * beyond the bounds: with `maxBytes` where that was reached.
   */
  constructor(
    private readonly bounds: DeadLetterBounds,
    private readonly onReplay: (kept: KeptLetter) => void,
    private readonly onOutlived: (dropped: number, maxBytes: number | undefined) => void,
  ) {}

  /** All of them; a copy. */
  get all(): DeadLetter[] {
    return Array.from(this.letters.values(), asListed);
  }

  /** How many there are, of how many messages, and for which reasons. */
  get counts(): DeadLetterCounts {
    const byReason = new Map<string, number>();
    let messages = 0;
    for (const { letter, messages: all, settledParts } of this.letters.values()) {
      messages += all - (settledParts?.size ?? 0);
      byReason.set(letter.reason, (byReason.get(letter.reason) ?? 0) + 1);
    }
    return { entries: this.letters.size, messages, byReason: Object.fromEntries(byReason) };
  }

  /** Keeps a letter; its position must be one of its own, and later than those before. */
  add(kept: KeptLetter): void {
    const { letter } = kept;
    const { maxLength, maxBytes } = this.bounds;
    this.letters.set(letter.position, kept);
    this.bytes += letter.frame.byteLength;
    const isTooLarge = this.bytes > maxBytes;
    let dropped = 0;
    for (const { letter: oldest } of this.letters.values()) {
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

  async list({ after, at, limit }: DeadLetterRange): Promise<DeadLetter[]> {
    if (at !== undefined) return [this.letters.get(at)].flatMap((kept) => (kept ? [asListed(kept)] : []));
    const letters = this.all;
    const start = after === undefined ? 0 : letters.findIndex(({ position }) => isLater(position, after));
    return start < 0 ? [] : letters.slice(start, start + limit);
  }

  async replay(position: string, frame?: Uint8Array): Promise<boolean> {
    if (frame && (this.letters.get(position)?.messages ?? 1) > 1) throw severalMessages(position);
    const kept = this.take(position);
    if (kept) this.onReplay(frame ? { ...kept, letter: { ...kept.letter, frame } } : kept);
    return kept !== undefined;
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

  private take(position: string): KeptLetter | undefined {
    const kept = this.letters.get(position);
    if (!kept) return undefined;
    this.letters.delete(position);
    this.bytes -= kept.letter.frame.byteLength;
    return kept;
  }
}

function asListed({ letter, messages }: KeptLetter): DeadLetter {
  return messages > 1 ? { ...letter, messages } : letter;
}

/** Positions are `<milliseconds>-<count>`. */
function isLater(left: string, right: string): boolean {
  const [leftMs, leftCount] = left.split('-').map(Number);
  const [rightMs, rightCount] = right.split('-').map(Number);
  return leftMs === rightMs ? leftCount > rightCount : leftMs > rightMs;
}
