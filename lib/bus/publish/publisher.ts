import { types } from 'node:util';
import type { DeliveryGuarantee } from '../../driver/capabilities.js';
import { PublishTimeoutError } from '../../errors/publish.errors.js';
import { Deadlines } from '../../timing/deadlines.js';
import type { PublishOptions, PublishReceipt } from '../options/bus-options.js';
import type { ExpectedSubscriptions } from '../options/expected-subscriptions.js';
import type { ResolvedOptions } from '../options/resolved-options.js';
import { BatchPublisher, type HeadersOfMember } from './batch-publisher.js';
import { InFlightPublishes } from './in-flight-publishes.js';
import type { Publication, PublicationDeps } from './publication.js';
import { type EncodingPublication, heldBytes, PublicationWriter } from './publication-writer.js';
import type { PublishTarget } from './publish-targets.js';

const noOptions: PublishOptions = {};
const nothing = () => {};

/** Turns payloads into encoded messages and hands them to the driver. */
export class Publisher {
  private readonly writer: PublicationWriter;
  /** Of what is not handed over yet; for the rest the driver keeps the time. */
  private readonly deadlines: Deadlines;
  private readonly inFlight: InFlightPublishes;
  private readonly deps: PublicationDeps;
  private readonly batches: BatchPublisher;
  /** By topic, the last message that is still being encoded: later ones must not overtake it. */
  private readonly encoding = new Map<string, Promise<void>>();

  constructor(
    private readonly options: ResolvedOptions,
    expected: ExpectedSubscriptions,
  ) {
    const { clock, publishLimit } = options;
    this.writer = new PublicationWriter(options, expected);
    this.deadlines = new Deadlines(clock);
    this.inFlight = new InFlightPublishes(publishLimit, this.deadlines);
    this.deps = { inFlight: this.inFlight, clock };
    this.batches = new BatchPublisher(options, this.writer, this.inFlight, (each) => this.send(each));
  }

  /** Publishes one message. Rejects, with nothing sent, for anything the caller got wrong, and where too much is under way. */
  publish(topic: string, payload: unknown, options: PublishOptions = noOptions): Promise<PublishReceipt> {
    try {
      if (!this.inFlight.hasRoom(0)) this.refuse(this.writer.target(topic, options.delivery));
      const written = this.writer.write(topic, payload, options);
      if (this.encoding.size > 0 || types.isPromise(written)) return this.sendInTurn(topic, written, options);
      if (!this.inFlight.hasRoom(written.bodyBytes)) this.refuse(written.target);
      return this.send(written);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Publishes all or, if one of them cannot be encoded, none. `headersOf`: what each goes with beside `options.headers`. */
  publishBatch(
    topic: string,
    payloads: readonly unknown[],
    options: PublishOptions = noOptions,
    headersOf?: HeadersOfMember,
  ): Promise<PublishReceipt[]> {
    return this.batches.publish({ topic, payloads, options, headersOf });
  }

  /** Whether messages to `topic` can have headers. Where the topic is refused, whoever publishes to it is told. */
  carriesHeaders(topic: string, delivery: DeliveryGuarantee | undefined): boolean {
    try {
      return !this.writer.target(topic, delivery).wire.bare;
    } catch {
      return false;
    }
  }

  /** Rejects for what {@link publish} would find wrong with the message itself; sends nothing. */
  async check(topic: string, payload: unknown, options: PublishOptions): Promise<void> {
    await this.writer.write(topic, payload, options);
  }

  /** Resolves when no publish is under way. */
  idle(): Promise<void> {
    return this.inFlight.idle();
  }

  /** Another subscription may disagree with what was remembered. */
  forgetTopics(): void {
    this.writer.forgetTopics();
  }

  close(): void {
    this.deadlines.clear();
  }

  private refuse(target: PublishTarget): never {
    target.metrics.published('error', 0);
    throw this.inFlight.refusal();
  }

  /**
   * Behind the earlier messages of its topic that are still being encoded. It counts as under way until it is encoded, also
   * when its time is up before.
   */
  private sendInTurn(
    topic: string,
    written: Publication | EncodingPublication,
    options: PublishOptions,
  ): Promise<PublishReceipt> {
    const { inFlight } = this;
    const bytes = heldBytes(written);
    const ready = Promise.all([written, this.encoding.get(topic)]).then(([message]) => message);
    const settled = ready.then(nothing, nothing);
    const target = this.writer.target(topic, options.delivery);
    if (!inFlight.hasRoom(bytes)) this.refuse(target);
    this.encoding.set(topic, settled);
    void settled.then(() => {
      if (this.encoding.get(topic) === settled) this.encoding.delete(topic);
    });
    inFlight.began(bytes);
    const timeoutMs = this.writer.timeoutOf(options);
    return new Promise((resolve, reject) => {
      let late = false;
      const deadline = this.deadlines.add(timeoutMs, () => {
        late = true;
        target.metrics.published('error', timeoutMs / 1000);
        reject(new PublishTimeoutError(topic, timeoutMs));
      });
      const send = (message: Publication) => {
        if (late) return;
        if (!inFlight.hasRoom(message.bodyBytes - bytes, 0)) this.refuse(target);
        resolve(this.send(message));
      };
      const encoded = () => {
        deadline.cancel();
        inFlight.ended(bytes);
      };
      void ready.then(send).catch(reject).finally(encoded);
    });
  }

  private send(publication: Publication): Promise<PublishReceipt> {
    const receipt = publication.receipt(this.deps);
    const { target, options } = publication;
    this.options.driver.send(target.topic, target.wire.outgoing(publication), options, publication);
    return receipt;
  }
}
