import { randomUUID } from 'node:crypto';
import { definedOptions } from '../bus/contract/outgoing-check.js';
import { publishMessageKinds } from '../bus/options/bus-option-kinds.js';
import type { PublishOptions } from '../bus/options/bus-options.js';
import { transportAccess } from '../bus/transport-access.js';
import { JsonCodec } from '../codec/json.codec.js';
import type { TopicDefinition } from '../contract/definition.js';
import { assertMessageOptions } from '../errors/assert-options.js';
import { ConfigurationError } from '../errors/bus.errors.js';
import { MessageUndefinedError } from '../errors/message.errors.js';
import { toHeaders } from '../message/headers.js';
import { assertKey, assertMessageId } from '../message/message-id.js';
import { assertTopic } from '../message/topic.js';
import { CORRELATION_HEADER, currentCorrelationId } from '../middleware/correlation.js';
import { toMilliseconds } from '../timing/duration.js';
import {
  type DiscoOutboxOptions,
  type OutboxBus,
  type ResolvedOutbox,
  resolveOutbox,
} from './outbox-options.js';
import { OutboxRelay } from './outbox-relay.js';
import { insertion, type OutboxFigures, OutboxRows, type RowOptions } from './outbox-rows.js';
import type { SqlTransaction } from './sql-client.js';
import { assertTable } from './table-schema.js';

/** How a row is written and its message is published. */
export interface OutboxPublishOptions extends Omit<PublishOptions, 'timeout' | 'signal'> {
  /** The transaction that the row joins: the client on which `BEGIN` was said. */
  tx: SqlTransaction;
}

/** A row that was written. */
export interface OutboxReceipt {
  /** The id of the message to come: the same each time that it is sent. */
  readonly id: string;
  readonly topic: string;
}

const codec = new JsonCodec();

/**
 * Events that commit with the data: `publish` writes a row in the caller's transaction, and a relay, one for all processes,
 * publishes the rows that are committed. Each is published at least once, and always under the same message id.
 */
export class DiscoOutbox {
  private readonly options: ResolvedOutbox;
  private readonly rows: OutboxRows;
  private readonly relay: OutboxRelay | undefined;

  /** Throws ConfigurationError for options that cannot be; asks nobody. */
  constructor(
    private readonly through: OutboxBus,
    options: DiscoOutboxOptions,
  ) {
    this.options = resolveOutbox(options);
    const { pool, form, relay } = this.options;
    this.rows = new OutboxRows(pool, form.table);
    if (relay === false) return;
    this.relay = new OutboxRelay({ ...through, rows: this.rows, outbox: this.options, relay });
  }

  /**
   * Writes one row with `tx`; asks the bus for nothing. The message goes out once the transaction is committed, and never
   * where it is rolled back. Payloads must be JSON. Rejects for what the caller got wrong, as `bus.publish` does, before
   * anything is written, and with the database's own error; only the bus's `maxMessageSize` and what its driver cannot do
   * are found later, by the relay. `delay` counts from now, `ttl` from the sending.
   */
  async publish<Published = unknown>(
    topic: string | TopicDefinition<Published>,
    payload: NoInfer<Published>,
    options: OutboxPublishOptions,
  ): Promise<OutboxReceipt> {
    const { tx, ...given } = options ?? {};
    if (typeof tx?.query !== 'function') {
      throw new ConfigurationError(
        'outbox.publish needs `tx`: the transaction to write with, with a method `query(text, values)`',
      );
    }
    assertMessageOptions('outbox.publish', given, publishMessageKinds);
    const access = transportAccess(this.through.bus);
    const definition = access.definitionOf(topic);
    const name = assertTopic(typeof topic === 'string' ? topic : topic.name);
    if (payload === undefined) throw new MessageUndefinedError(name);
    if (definition !== undefined) await access.checkOutgoing(definition, payload);
    const whole = definition === undefined ? given : definedOptions(definition, payload, given);
    const { data } = codec.encode(payload);
    const messageId = whole.id === undefined ? randomUUID() : assertMessageId(whole.id);
    const row = {
      messageId,
      topic: name,
      key: whole.key === undefined ? undefined : assertKey(whole.key),
      payload: String(data),
      options: rowOptions(whole, access.now()),
      version: definition?.versionNumber ?? 1,
    };
    await tx.query(...insertion(this.options.form.table, this.options.channel, row));
    return { id: messageId, topic: name };
  }

  /** What waits and what was set aside, asked of the database. Rejects with its error. */
  inspect(): Promise<OutboxFigures> {
    return this.rows.figures();
  }

  /**
   * Checks the table and begins to relay, in the background, save where `relay` is false. The bus must have been started.
   * Rejects with ConfigurationError, which says the SQL to run, where the table is missing or has another form.
   */
  async start(): Promise<void> {
    await assertTable(this.options.pool, this.options.form);
    this.relay?.start();
  }

  /** Ends the relay, once what it is sending is settled and marked: another process takes over. Closes no pool. Idempotent. */
  async stop(): Promise<void> {
    await this.relay?.stop();
  }
}

function rowOptions({ headers, delivery, delay, at, ttl }: PublishOptions, now: number): RowOptions {
  if (delay !== undefined && at !== undefined)
    throw new ConfigurationError('delay and at exclude each other');
  const due = at === undefined ? undefined : Number(at);
  const correlationId = currentCorrelationId();
  return {
    headers: {
      ...(correlationId !== undefined && { [CORRELATION_HEADER]: correlationId }),
      ...toHeaders(headers),
    },
    delivery,
    at: delay === undefined ? due : now + toMilliseconds(delay, 'delay'),
    ttl: ttl === undefined ? undefined : toMilliseconds(ttl, 'ttl', { minMs: 1 }),
  };
}
