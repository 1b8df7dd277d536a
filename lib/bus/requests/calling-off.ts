import type { PublishListener } from '../../bundling/bundle-lane.js';
import type { DirectChannel } from './direct-channel.js';
import { CANCEL_TOPIC, isHex128, REQUEST_ID_HEADER } from './request-headers.js';

/** Requests called off before they were started that are remembered at a time. */
const REMEMBERED = 4096;

/** Nothing depends on what becomes of it. */
const unheard: PublishListener = { accepted: () => {}, failed: () => {} };

/** Tells whoever answers the request that nobody waits for it any more. */
export function callOff(channel: DirectChannel, id: string): void {
  const headers: Record<string, string> = Object.create(null);
  headers[REQUEST_ID_HEADER] = id;
  void (async () => channel.send(CANCEL_TOPIC, headers, await channel.encode(null), unheard))().catch(
    () => {},
  );
}

/** The requests that were called off, as responders hear of it. */
export class CalledOff {
  /** Remembered, as one of them may come later than what calls it off. */
  private readonly ids = new Set<string>();
  /** Those of the present turn. */
  private now = new Set<string>();
  private listening: Promise<void> | undefined;

  /** `onCalledOff` is given the ids of one turn together, so that what runs is looked through once for all of them. */
  constructor(
    private readonly channel: DirectChannel,
    private readonly onCalledOff: (ids: ReadonlySet<string>) => void,
  ) {}

  has(id: string): boolean {
    return this.ids.size > 0 && this.ids.has(id);
  }

  /** Begins to listen, unless that was done before; resolves when requests can be called off. */
  listen(): Promise<void> {
    this.listening ??= this.subscribe().catch((error) => {
      this.listening = undefined;
      throw error;
    });
    return this.listening;
  }

  /** The same for who does not wait for it. */
  begin(): void {
    if (!this.listening) this.listen().catch(() => {});
  }

  private async subscribe(): Promise<void> {
    await this.channel.subscribe(
      CANCEL_TOPIC,
      ({ frame }) => this.add(frame.headers[REQUEST_ID_HEADER]),
      () => {},
    );
  }

  private add(id: string | undefined): void {
    if (!isHex128(id)) return;
    if (this.now.size === 0) queueMicrotask(() => this.tell());
    this.now.add(id);
    if (this.ids.size >= REMEMBERED) {
      const [oldest] = this.ids;
      this.ids.delete(oldest);
    }
    this.ids.add(id);
  }

  private tell(): void {
    const { now } = this;
    this.now = new Set();
    this.onCalledOff(now);
  }
}
