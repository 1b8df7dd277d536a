import { ClientProxy, type ReadPacket, type WritePacket } from '@nestjs/microservices';
import { connectable, defer, Observable, Subject } from 'rxjs';
import {
  type Definition,
  isDefinition,
  type RequestDefinition,
  type TopicDefinition,
} from '../contract/definition.js';
import type { DiscoRecord } from './disco-record.js';
import type { StatusEvents } from './status-relay.js';

/** `send` and `emit` of a client, which take patterns as Nest has them, and definitions. */
export abstract class TypedClient extends ClientProxy<StatusEvents, string> {
  /** As Nest documents it: each subscription sends. The way through a connected client is shorter than Nest's own. */
  override send<Asked, Reply>(
    request: RequestDefinition<Asked, any, any, Reply>,
    data: NoInfer<Asked> | DiscoRecord<NoInfer<Asked>>,
  ): Observable<Reply>;
  override send<Result = any, Input = any, Pattern = any>(
    pattern: Pattern,
    data: PatternData<Pattern, Input>,
  ): Observable<Result>;
  override send(pattern: any, data: any): Observable<any> {
    if (lacksEither(pattern, data)) return super.send(pattern, data);
    return new Observable((observer) => {
      let stop: (() => void) | undefined;
      const start = () => {
        if (!observer.closed)
          stop = this.publish(
            this.packetOf(pattern, data),
            this.createObserver(observer),
            definedBy(pattern),
          );
      };
      // The bus takes it while it is connecting too, and keeps to its time.
      this.whenMade(start, (error) => observer.error(error));
      return () => stop?.();
    });
  }

  /** As Nest documents it: it is sent at once, whether anybody subscribes or not. */
  override emit<Published>(
    topic: TopicDefinition<Published>,
    data: NoInfer<Published> | DiscoRecord<NoInfer<Published>>,
  ): Observable<undefined>;
  override emit<Result = any, Input = any, Pattern = any>(
    pattern: Pattern,
    data: PatternData<Pattern, Input>,
  ): Observable<Result>;
  override emit<Result>(pattern: any, data: any): Observable<Result> {
    if (lacksEither(pattern, data)) return super.emit(pattern, data);
    const sending = connectable(
      defer(() => this.dispatchEvent<Result>(this.packetOf(pattern, data), definedBy(pattern))),
      { connector: () => new Subject<Result>(), resetOnDisconnect: false },
    );
    sending.connect();
    return sending;
  }

  /** Calls one of the two: at once where there is a bus. */
  protected abstract whenMade(start: () => void, failed: (error: unknown) => void): void;

  protected abstract override publish(
    packet: ReadPacket,
    callback: (packet: WritePacket) => void,
    definition?: Definition,
  ): () => void;

  protected abstract override dispatchEvent<T>(packet: ReadPacket, definition?: Definition): Promise<T>;

  /** Nest 11 has no hook on the way out. */
  private packetOf(pattern: unknown, data: unknown): ReadPacket {
    const named = definedBy(pattern)?.name ?? pattern;
    return this.createPacket ? this.createPacket(named, data) : { pattern: named, data };
  }
}

/** The data of a pattern that is no definition: one of those says itself what it takes. */
export type PatternData<Pattern, Input> = Pattern extends Definition ? never : Input;

/** Nest itself says what is wrong with a message that has no pattern, or no data. */
function lacksEither(pattern: unknown, data: unknown): boolean {
  return pattern === undefined || pattern === null || data === undefined || data === null;
}

function definedBy(pattern: unknown): Definition | undefined {
  return isDefinition(pattern) ? pattern : undefined;
}
