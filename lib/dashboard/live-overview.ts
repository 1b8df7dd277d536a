import type { ServerResponse } from 'node:http';
import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { ApiError, apiErrorOf } from './api-error.js';
import { BusReader } from './bus-reader.js';
import { ShownBuses } from './shown-buses.js';

const EVERY_MS = 2_000;
/** Topics of each bus that are told. */
const TOPICS = 100;
/** A stream ends after this, and is asked for again: so its guards are asked again. */
const STREAM_MS = 300_000;
/** Whoever leaves more than this unread is not read to any more. */
const MOST_UNREAD_BYTES = 4 * 1024 * 1024;
const MOST_STREAMS = 200;

const headers = {
  'content-type': 'text/event-stream; charset=utf-8',
  // Compression and proxies would hold events back.
  'cache-control': 'no-store, no-transform',
  'x-accel-buffering': 'no',
  'x-content-type-options': 'nosniff',
};

/** Tells all who listen how the buses are, every 2 s. Asks once for all of them, and not at all while nobody listens. */
@Injectable()
export class LiveOverview implements OnModuleDestroy {
  private readonly listeners = new Map<ServerResponse, NodeJS.Timeout>();
  private turn: NodeJS.Timeout | undefined;
  private asking = false;
  private last: string | undefined;
  private closed = false;

  constructor(
    private readonly buses: ShownBuses,
    private readonly reader: BusReader,
  ) {}

  /** How many listen. */
  get size(): number {
    return this.listeners.size;
  }

  /** Why nobody may listen any more: the application closes, or too many do; otherwise undefined. */
  refusal(): ApiError | undefined {
    if (this.closed) return new ApiError(503, 'CLOSING', 'The application is closing');
    if (this.size >= MOST_STREAMS)
      return new ApiError(503, 'TOO_MANY', `${MOST_STREAMS} streams are open: close some pages`);
    return undefined;
  }

  /** Begins a stream of events on a response of which nothing has been sent. */
  add(response: ServerResponse): void {
    response.writeHead(200, headers);
    response.write('retry: 2000\n\n');
    const ending = setTimeout(() => this.end(response), STREAM_MS);
    ending.unref();
    this.listeners.set(response, ending);
    response.once('close', () => this.forget(response));
    response.on('error', () => this.forget(response));
    if (this.last !== undefined) response.write(this.last);
    else void this.tell();
  }

  /** Ends all streams, so that the server can close. */
  onModuleDestroy(): void {
    this.closed = true;
    for (const response of [...this.listeners.keys()]) this.end(response);
  }

  private end(response: ServerResponse): void {
    this.forget(response);
    response.end();
  }

  private forget(response: ServerResponse): void {
    clearTimeout(this.listeners.get(response));
    this.listeners.delete(response);
    if (this.size > 0) return;
    clearTimeout(this.turn);
    this.turn = undefined;
    this.last = undefined;
  }

  private async tell(): Promise<void> {
    if (this.asking) return;
    this.asking = true;
    const event = await this.event();
    this.asking = false;
    if (this.size === 0) return;
    this.last = event;
    for (const response of [...this.listeners.keys()]) {
      if (response.writableLength > MOST_UNREAD_BYTES) response.destroy();
      else response.write(event);
    }
    this.turn = setTimeout(() => void this.tell(), EVERY_MS);
  }

  /** Never rejects. */
  private async event(): Promise<string> {
    const buses = await Promise.all(this.buses.names.map((name) => this.told(name)));
    return `event: overview\ndata: ${JSON.stringify({ at: Date.now(), buses })}\n\n`;
  }

  private async told(bus: string): Promise<object> {
    try {
      return await this.reader.overview(this.buses.named(bus), { limit: TOPICS });
    } catch (error) {
      return { bus, error: apiErrorOf(error).body };
    }
  }
}
