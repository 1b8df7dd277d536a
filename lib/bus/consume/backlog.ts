import type { BacklogOptions } from '../../contract/topic-options.js';
import type { Delivery } from '../../driver/delivery.js';

/**
 * The account of what one subscription at most once holds for later, in messages and in bytes: what waits for a free
 * handler, for its key or for its next attempt.
 */
export class Backlog {
  private messages = 0;
  private bytes = 0;

  constructor(private readonly bounds: Readonly<Required<BacklogOptions>>) {}

  add(bytes: number): void {
    this.messages++;
    this.bytes += bytes;
  }

  remove(bytes: number): void {
    this.messages--;
    this.bytes -= bytes;
  }

  /**
   * Whether one more message of so many bytes may wait. Where the oldest gives way, `giveUpOldest` is called until there
   * is room, or until it says that nothing is left to give up.
   */
  makeRoom(bytes: number, giveUpOldest: () => boolean): boolean {
    const { maxBytes, overflow } = this.bounds;
    if (bytes > maxBytes) return false;
    while (!this.hasRoom(bytes)) if (overflow === 'drop-new' || !giveUpOldest()) return false;
    return true;
  }

  /** Whether one more message of so many bytes may wait as it is. */
  hasRoom(bytes: number): boolean {
    return this.messages < this.bounds.limit && this.bytes + bytes <= this.bounds.maxBytes;
  }
}

/** What a message counts as: the bytes of its body where they are known, as its own frame would have to be made. */
export function sizeOf(delivery: Delivery): number {
  return delivery.decoded?.bodyBytes ?? delivery.frame.byteLength;
}
