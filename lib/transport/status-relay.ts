import type { BusStatus } from '../bus/bus-status.js';
import type { DiscoBus } from '../bus/disco-bus.js';
import { callGuest } from '../errors/guest.js';

/** What `status` emits. */
export type TransportStatus = 'connected' | 'disconnected';

/** The events of `on`: each type of status, and what its callback is given. */
export type StatusEvents = {
  [Type in BusStatus['type']]: (status: Extract<BusStatus, { type: Type }>) => void;
};

/** Passes on what a bus tells, also to those who asked before there was one. */
export class StatusRelay {
  private readonly callbacks: { readonly type: string; readonly call: (status: BusStatus) => void }[] = [];
  private stop: (() => void) | undefined;

  constructor(private readonly onConnection: (status: TransportStatus) => void) {}

  on(type: string, call: (status: BusStatus) => void): void {
    this.callbacks.push({ type, call });
  }

  /** Listens to `bus` until `detach`; a connection that it has already is told. */
  attach(bus: DiscoBus): void {
    this.stop?.();
    this.stop = bus.onStatus((status) => this.tell(status));
    if (bus.connected) this.onConnection('connected');
  }

  detach(): void {
    this.stop?.();
    this.stop = undefined;
  }

  private tell(status: BusStatus): void {
    if (status.type === 'connected' || status.type === 'disconnected') this.onConnection(status.type);
    for (const { type, call } of this.callbacks)
      if (type === status.type) callGuest(call, 'A status listener', () => call(status));
  }
}
