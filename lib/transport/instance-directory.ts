import type { TransportAccess } from '../bus/transport-access.js';
import { isDiscoBusError } from '../errors/disco-bus-error.js';
import { NoRespondersError, RequestTimeoutError } from '../errors/request.errors.js';
import { WHERE_HEADER } from './packet.js';
import { everyTopic, isInstanceTopic, routeOfTopic } from './pattern-topic.js';

/** An instance of a service that answers a topic. */
export interface Instance {
  /** Where it is asked. */
  readonly topic: string;
  /** Requests of this client that it has not answered yet. */
  waiting: number;
}

/** How long answers to a question are collected once the first has come. */
const COLLECT_MS = 250;
/** What is known is asked for again after this, while it is in use. */
const REFRESH_MS = 5_000;
/** However much news comes, a topic is not asked for more often than this. */
const SHORTEST_REFRESH_MS = 250;
/** Topics remembered at a time; beyond that the memory begins again. */
const REMEMBERED = 10_000;

/** Which instances answer which topic: found out by asking all of them, and kept up to date by what they tell. */
export class InstanceDirectory {
  private readonly topics = new Map<string, TopicInstances>();

  /** The least busy instance that is known to answer `topic`. */
  pick(bus: TransportAccess, topic: string): Instance | undefined {
    const known = this.topics.get(topic);
    const picked = known?.pick();
    if (known && picked) known.refreshIfStale(bus);
    return picked;
  }

  /**
   * Asks who answers `topic`, and resolves with one of those as soon as it is known. Rejects with NoRespondersError when
   * nobody is there, with RequestTimeoutError of `timeoutMs` when nobody says so within `leftMs`, and as a request does.
   * Those who ask at the same time share the question, and each keeps to its own time.
   */
  async find(bus: TransportAccess, topic: string, timeoutMs: number, leftMs = timeoutMs): Promise<Instance> {
    let known = this.topics.get(topic);
    if (!known) {
      if (this.topics.size >= REMEMBERED) this.topics.clear();
      known = new TopicInstances(topic);
      this.topics.set(topic, known);
    }
    if (!(await known.askWithin(bus, leftMs))) throw new RequestTimeoutError(routeOfTopic(topic), timeoutMs);
    const found = known.pick();
    if (!found) throw new NoRespondersError(routeOfTopic(topic));
    return found;
  }

  /** Nobody is there any more. */
  forget(topic: string, instance: Instance): void {
    this.topics.get(topic)?.forget(instance);
  }

  /** Servers have come: what is known may not be all. */
  cameUp(): void {
    for (const known of this.topics.values()) known.makeStale();
  }

  /** A server is about to go. */
  goesDown(instance: string): void {
    for (const known of this.topics.values()) known.forgetNamed(instance);
  }
}

const where = { [WHERE_HEADER]: '1' };

/** The instances that answer one topic. */
class TopicInstances {
  private instances: Instance[] = [];
  private turn = 0;
  private askedMs = 0;
  private asking: Promise<void> | undefined;
  private stale = false;

  constructor(private readonly topic: string) {}

  /** The one with the fewest requests waiting; among equals each in turn. */
  pick(): Instance | undefined {
    const { instances } = this;
    const { length } = instances;
    if (length < 2) return instances[0];
    const start = this.turn++ % length;
    let best = instances[start];
    for (let step = 1; step < length; step++) {
      const each = instances[(start + step) % length];
      if (each.waiting < best.waiting) best = each;
    }
    return best;
  }

  forget(instance: Instance): void {
    this.instances = this.instances.filter((each) => each !== instance);
  }

  forgetNamed(name: string): void {
    this.instances = this.instances.filter(({ topic }) => !topic.includes(name));
  }

  makeStale(): void {
    this.stale = true;
  }

  refreshIfStale(bus: TransportAccess): void {
    const ageMs = performance.now() - this.askedMs;
    if (ageMs < (this.stale ? SHORTEST_REFRESH_MS : REFRESH_MS) || this.asking) return;
    this.ask(bus, REFRESH_MS).catch(() => {});
  }

  /** Resolves with the first answer, while others are still collected; those of whom nothing is heard are forgotten. */
  ask(bus: TransportAccess, timeoutMs: number): Promise<void> {
    this.asking ??= this.question(bus, timeoutMs).finally(() => {
      this.asking = undefined;
    });
    return this.asking;
  }

  /**
   * The same for one of several who wait; false when `timeoutMs` are over. The question of another may end sooner than
   * that, or be lost with the connection: then it is asked again, as nobody has handled anything.
   */
  async askWithin(bus: TransportAccess, timeoutMs: number): Promise<boolean> {
    const untilMs = performance.now() + timeoutMs;
    for (let leftMs = timeoutMs; leftMs > 0; leftMs = Math.ceil(untilMs - performance.now())) {
      try {
        return await within(this.ask(bus, leftMs), leftMs);
      } catch (error) {
        if (!isDiscoBusError(error, 'DISCO_REQUEST_TIMEOUT')) throw error;
      }
    }
    return false;
  }

  private question(bus: TransportAccess, timeoutMs: number): Promise<void> {
    this.askedMs = performance.now();
    this.stale = false;
    const heard = new Set<string>();
    return new Promise<void>((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined;
      const end = () => {
        question.cancel();
        this.keep(heard);
        resolve();
      };
      const next = (topic: unknown) => {
        timer ??= setTimeout(end, COLLECT_MS).unref();
        if (!isInstanceTopic(topic)) return; // It answers only what all are asked.
        heard.add(topic);
        this.add(topic);
        resolve();
      };
      const over = (error?: unknown) => {
        clearTimeout(timer);
        this.keep(heard);
        if (error === undefined || heard.size > 0) resolve();
        else reject(error);
      };
      const question = bus.request(
        everyTopic(this.topic),
        null,
        { timeoutMs, headers: where, name: routeOfTopic(this.topic), aside: true },
        {
          next,
          complete: over,
          error: over,
        },
      );
    });
  }

  private add(topic: string): void {
    if (this.instances.some((each) => each.topic === topic)) return;
    this.instances.push({ topic, waiting: 0 });
  }

  /** One that has work may be too busy to say so. */
  private keep(heard: ReadonlySet<string>): void {
    this.instances = this.instances.filter(({ topic, waiting }) => waiting > 0 || heard.has(topic));
  }
}

/** Whether `work` has ended in time. */
function within(work: Promise<void>, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(false), timeoutMs).unref();
    work.then(() => resolve(true), reject).finally(() => clearTimeout(timer));
  });
}
