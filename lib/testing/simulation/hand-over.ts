import type { Delivery } from '../../driver/delivery.js';
import type { SimulatedDelivery } from './simulated-delivery.js';
import type { Wire } from './wire.js';

/** Hands deliveries over in the order in which they came, each after its way. */
export class HandOver {
  private readonly arrived: SimulatedDelivery[] = [];
  private paused = false;
  private closed = false;

  constructor(
    private readonly wire: Wire,
    private readonly onDelivery: (delivery: Delivery) => void,
  ) {}

  add(delivery: SimulatedDelivery): void {
    const tookMs = this.wire.takes();
    if (tookMs === 0) this.arrive(delivery);
    else this.wire.clock.setTimeout(() => this.arrive(delivery), tookMs);
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    for (const delivery of this.arrived.splice(0)) this.arrive(delivery);
  }

  /** What is still on its way goes back. */
  close(): void {
    this.closed = true;
    for (const delivery of this.arrived.splice(0)) this.arrive(delivery);
  }

  private arrive(delivery: SimulatedDelivery): void {
    if (this.closed) void delivery.takeBack(0, true);
    else if (this.paused) this.arrived.push(delivery);
    else if (delivery.state === 'coming') {
      delivery.state = 'handling';
      this.onDelivery(delivery);
    }
  }
}
