import type { Call } from './call.js';
import { ID_SLOTS, requestId, slotOf } from './request-headers.js';

/**
 * The calls that wait for their replies. The id of a call names its slot, so that no table of ids is kept; a reply belongs to
 * the call there only if it has the whole id, most of which nobody can guess.
 */
export class CallTable {
  private readonly slots: (Call | undefined)[] = [];
  /** Slots that were left, the last one first in use again. */
  private readonly left: number[] = [];

  private asides = 0;

  constructor(private readonly limit: number) {}

  get size(): number {
    return this.slots.length - this.left.length;
  }

  /** Those that count among the requests that wait. */
  get waiting(): number {
    return this.size - this.asides;
  }

  /** How many it takes: the limit, or as many as ids can tell apart. */
  get most(): number {
    return Math.min(this.limit, ID_SLOTS);
  }

  /** The id that the next call to be added must have. */
  nextId(): string {
    return requestId(this.left.at(-1) ?? this.slots.length);
  }

  /** Adds a call with an id of `nextId`. */
  add(call: Call): void {
    this.slots[this.left.pop() ?? this.slots.length] = call;
    if (call.aside) this.asides++;
  }

  /** Undefined for an id of no call that waits. */
  find(id: string): Call | undefined {
    const call = this.slots[slotOf(id)];
    return call?.id === id ? call : undefined;
  }

  /** Takes a call off that is in the table. */
  delete({ id, aside }: Call): void {
    const slot = slotOf(id);
    this.slots[slot] = undefined;
    this.left.push(slot);
    if (aside) this.asides--;
  }

  /** The calls as they are now. */
  calls(): Call[] {
    return this.slots.filter((call) => call !== undefined);
  }
}
