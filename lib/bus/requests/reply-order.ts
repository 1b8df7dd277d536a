/** Replies that may wait for an earlier one. */
const HELD_LIMIT = 1024;

/** Puts the replies of one responder in order: a large one may be read later than a small one behind it. */
export class ReplyOrder<T> {
  private next = 0;
  private readonly held = new Map<number, T>();

  /** Calls `deliver` for what is next in order. Returns false for a duplicate, and for what is too far ahead. */
  add(sequence: number, reply: T, deliver: (reply: T) => void): boolean {
    if (sequence < this.next || this.held.has(sequence)) return false;
    if (sequence > this.next) {
      if (this.held.size >= HELD_LIMIT) return false;
      this.held.set(sequence, reply);
      return true;
    }
    this.next++;
    deliver(reply);
    this.deliverHeld(deliver);
    return true;
  }

  private deliverHeld(deliver: (reply: T) => void): void {
    for (let reply = this.held.get(this.next); reply !== undefined; reply = this.held.get(this.next)) {
      this.held.delete(this.next++);
      deliver(reply);
    }
  }
}
