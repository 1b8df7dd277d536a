/** What a {@link Ring} holds. The links belong to the ring: undefined while the item is in none. */
export interface Linked {
  older?: Linked;
  newer?: Linked;
}

/**
 * A list through its items themselves, oldest first: adding and taking off cost a few assignments, and an item that was taken
 * off is held by nothing. A table of what comes and goes with each message keeps the dead alive and makes collection dear.
 */
export class Ring<T extends Linked> {
  private readonly ends: Required<Linked>;

  constructor() {
    const ends: Linked = { older: undefined, newer: undefined };
    ends.older = ends;
    ends.newer = ends;
    this.ends = ends as Required<Linked>;
  }

  /** The oldest item; undefined when there is none. */
  get first(): T | undefined {
    const { newer } = this.ends;
    return newer === this.ends ? undefined : (newer as T);
  }

  /** Puts `item`, which is in no ring, at the end. */
  add(item: T): void {
    const { ends } = this;
    const last = ends.older;
    item.older = last;
    item.newer = ends;
    last.newer = item;
    ends.older = item;
  }

  /** The items as they are now. */
  items(): T[] {
    const items: T[] = [];
    for (let each = this.ends.newer; each !== this.ends; each = each.newer as Required<Linked>)
      items.push(each as unknown as T);
    return items;
  }
}

/** Takes `item` off its ring; false when it is in none. */
export function unlink(item: Linked): boolean {
  const { older, newer } = item;
  if (older === undefined || newer === undefined) return false;
  older.newer = newer;
  newer.older = older;
  item.older = undefined;
  item.newer = undefined;
  return true;
}
