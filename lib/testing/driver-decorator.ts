import { type DriverCapabilities } from '../driver/capabilities.js';
import { type Delivery } from '../driver/delivery.js';
import {
  type BufferLimit,
  type DiscoDriver,
  type DriverContext,
  type DriverPublishOptions,
  type DriverReceipt,
  type DriverSubscribeOptions,
  type DriverSubscription,
} from '../driver/driver.js';
import { type DriverStatusListener } from '../driver/driver-status.js';

/** A driver that passes everything on to another one. Extend it and override what is to be different. */
export class DriverDecorator implements DiscoDriver {
  constructor(protected readonly inner: DiscoDriver) {}

  get name(): string {
    return this.inner.name;
  }

  get capabilities(): DriverCapabilities {
    return this.inner.capabilities;
  }

  get bufferLimit(): BufferLimit | undefined {
    return this.inner.bufferLimit;
  }

  connect(context?: DriverContext): Promise<void> {
    return this.inner.connect(context);
  }

  publish(topic: string, frame: Uint8Array, options: DriverPublishOptions): Promise<DriverReceipt> {
    return this.inner.publish(topic, frame, options);
  }

  subscribe(
    topicOrPattern: string,
    options: DriverSubscribeOptions,
    onDelivery: (delivery: Delivery) => void,
  ): Promise<DriverSubscription> {
    return this.inner.subscribe(topicOrPattern, options, onDelivery);
  }

  close(graceMs?: number): Promise<void> {
    return this.inner.close(graceMs);
  }

  ping(): Promise<void> {
    return this.inner.ping();
  }

  onStatus(listener: DriverStatusListener): () => void {
    return this.inner.onStatus(listener);
  }
}
