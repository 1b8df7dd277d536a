/** Who hands deliveries to the places: one consumer, or the consumers of all topics of a pattern. */
export interface PlaceSharer {
  /** A place was freed, and may be for what waits here. */
  pump(): void;
}

interface Share {
  waiting: number;
  busy: boolean;
}

/** The places of one subscriber for unsettled deliveries, shared by all that read for it. */
export class Places {
  private taken = 0;
  private waiting = 0;
  private busy = 0;
  private readonly shares = new Map<PlaceSharer, Share>();
  private readonly short = new Set<() => void>();

  constructor(private readonly count: number) {}

  /** Places for what is to be handed over. */
  get free(): number {
    return Math.max(0, this.count - this.taken);
  }

  join(sharer: PlaceSharer): void {
    if (!this.shares.has(sharer)) this.shares.set(sharer, { waiting: 0, busy: false });
  }

  leave(sharer: PlaceSharer): void {
    this.note(sharer, 0, false);
    this.shares.delete(sharer);
  }

  /** What `sharer` has read and not handed over, and whether the last look found anything for it. */
  note(sharer: PlaceSharer, waiting: number, busy: boolean): void {
    const share = this.shares.get(sharer);
    if (share === undefined) return;
    this.waiting += waiting - share.waiting;
    this.busy += Number(busy) - Number(share.busy);
    share.waiting = waiting;
    share.busy = busy;
    this.tellShort();
  }

  /** How many entries `sharer` may hold read ahead. One by whom nothing came last gets a single one beside the others. */
  shareOf(sharer: PlaceSharer): number {
    const share = this.shares.get(sharer);
    const open = this.free - this.waiting + (share?.waiting ?? 0);
    if (this.shares.size <= 1 || open <= 1) return Math.max(0, open);
    return share?.busy ? Math.max(1, Math.floor(open / this.busy)) : 1;
  }

  /** Calls `again` once, when there is room for reading more. */
  whenOpen(again: () => void): void {
    this.short.add(again);
  }

  take(): void {
    this.taken++;
  }

  release(): void {
    this.taken--;
    if (this.shares.size > 1 && this.waiting > 0) {
      for (const [sharer, { waiting }] of this.shares) if (waiting > 0 && this.free > 0) sharer.pump();
    }
    this.tellShort();
  }

  private tellShort(): void {
    if (this.short.size === 0 || this.free <= this.waiting) return;
    const waiters = [...this.short];
    this.short.clear();
    for (const again of waiters) again();
  }
}
