import { Injectable } from '@nestjs/common';
import { DiscoBusService, DiscoSubscribe, WithLock } from 'nestjs-disco-bus';
import { Shelf } from './shelf.js';

interface Order {
  order: number;
}

@Injectable()
export class Shop {
  constructor(
    private readonly bus: DiscoBusService,
    private readonly shelf: Shelf,
  ) {}

  async order(order: number): Promise<void> {
    await this.bus.publish('orders', { order }, { delivery: 'at-least-once' });
  }

  @DiscoSubscribe('orders', { group: 'shop' })
  async pack({ order }: Order): Promise<void> {
    await this.shelf.takeFor(order);
    await this.bus.publish('packed', { order }, { delivery: 'at-least-once' });
  }

  @WithLock('stocktaking', { onBusy: 'skip' })
  async count(): Promise<number | undefined> {
    return this.shelf.records;
  }
}
