/** Bundles are seldom larger than this. */
const SMALL = 32;

/** Which parts of a bundle are in a handler. Costs next to nothing for each message of a bundle of the usual size. */
export class BegunParts {
  private small = 0;
  private others: Set<number> | undefined;

  get count(): number {
    let count = this.others?.size ?? 0;
    for (let rest = this.small; rest !== 0; rest &= rest - 1) count++;
    return count;
  }

  add(index: number): void {
    if (index < SMALL) this.small |= 1 << index;
    else {
      this.others ??= new Set();
      this.others.add(index);
    }
  }

  delete(index: number): void {
    if (index < SMALL) this.small &= ~(1 << index);
    else this.others?.delete(index);
  }
}
