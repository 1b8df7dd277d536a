import { Injectable } from '@nestjs/common';

/** How many records there are. In a real shop this is a table of a database. */
@Injectable()
export class Shelf {
  records = 100;
  private readonly taken = new Set<number>();

  /** Takes one record for an order; a second time for the same order it does nothing, as with a unique key. */
  async takeFor(order: number): Promise<void> {
    if (this.taken.has(order)) return;
    this.taken.add(order);
    this.records--;
  }

  get orders(): number {
    return this.taken.size;
  }
}
