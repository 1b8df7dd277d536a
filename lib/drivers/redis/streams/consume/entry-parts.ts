/** Which parts of one entry's bundle are settled. */
export class EntryParts {
  /** In earlier attempts; undefined where there are none. */
  readonly before: ReadonlySet<number> | undefined;
  private readonly settled = new Set<number>();
  /** Those of this attempt that were acknowledged: the others tell it themselves. */
  private readonly acknowledged: number[] = [];
  /** How many of them Redis knows. */
  private recorded = 0;

  constructor(before: readonly number[]) {
    if (before.length > 0) this.before = new Set(before);
  }

  /** How many are settled. */
  get size(): number {
    return this.settled.size + (this.before?.size ?? 0);
  }

  has(index: number): boolean {
    return this.settled.has(index) || this.before?.has(index) === true;
  }

  /** True for the one call that settles it. */
  settle(index: number): boolean {
    if (this.has(index)) return false;
    this.settled.add(index);
    return true;
  }

  acknowledge(index: number): void {
    this.acknowledged.push(index);
  }

  /** Those acknowledged that Redis may not know of. Earlier ones stand in the entry, until some are recorded beside it. */
  get unrecorded(): readonly number[] {
    const { acknowledged, recorded, before = [] } = this;
    return recorded === 0 ? [...before, ...acknowledged] : acknowledged.slice(recorded);
  }

  /** To be called before `unrecorded` is sent; the result is to be called once Redis has recorded it. */
  send(): () => void {
    const sent = this.acknowledged.length;
    return () => {
      this.recorded = Math.max(this.recorded, sent);
    };
  }
}
