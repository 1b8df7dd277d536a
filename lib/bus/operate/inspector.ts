import type { DiscoDriver } from '../../driver/driver.js';
import type { DriverStatus } from '../../driver/driver-status.js';
import { offersHindrances } from '../../driver/group-hindrances.js';
import {
  type GroupInspection,
  type InspectionOptions,
  type InspectionProvider,
  offersInspection,
  type TopicInspection,
} from '../../driver/inspection.js';
import { assertOptions } from '../../errors/assert-options.js';
import { ConfigurationError } from '../../errors/bus.errors.js';
import { aBoolean, aDuration, aNumber, aString, type OptionKinds } from '../../errors/option-kinds.js';
import { assertTopic } from '../../message/topic.js';
import { type Duration, toMilliseconds } from '../../timing/duration.js';
import { PATIENCE_MS, type WaitingRoom } from '../connection/waiting-room.js';
import type { MessageDecoder } from '../wire/message-decoder.js';
import { type BrowseOptions, browsedMessages, type StoredMessages } from './browsed-messages.js';
import { askInstances, type InstanceCensus, type RpcInstance } from './rpc-instances.js';
import { type Reason, reasonsOf } from './waiting-reasons.js';

/** Which topics to look at. */
export interface InspectRange {
  /** Only those whose names come behind this one: the last name of the page before. @default from the first */
  after?: string;
  /** 1 to 1000. @default 100 */
  limit?: number;
}

/** A connection of the bus, as its driver last told of it. */
export interface ConnectionInspection {
  /** The driver's name, as `'redis'`. */
  readonly driver: string;
  readonly connected: boolean;
  /** Where it leads, without credentials; undefined until the driver has said so. */
  readonly server?: string;
}

/** What an {@link Inspector} looks at. */
export interface InspectorDeps {
  readonly engine: DiscoDriver;
  readonly waitingRoom: WaitingRoom;
  readonly connected: () => boolean;
  readonly decoder: MessageDecoder;
  readonly census: InstanceCensus;
}

/** How to ask for instances. */
export interface InstancesOptions {
  /** How long the first answer may take. @default '1s' */
  timeout?: Duration;
}

const rangeKinds: OptionKinds<InspectRange> = { after: aString, limit: aNumber };
const instancesKinds: OptionKinds<InstancesOptions> = { timeout: aDuration };
const topicKinds: OptionKinds<InspectionOptions> = { bytes: aBoolean };

const USUAL_LIMIT = 100;
const LARGEST_LIMIT = 1_000;
/** Of topics whose publishers set none. */
const USUAL_MAX_LENGTH = 1_000_000;

/**
 * What the server keeps for all services, topic by topic and group by group. Looking changes nothing. Every promise rejects
 * with ConfigurationError where the driver cannot tell, with NotConnectedError where there is no connection for 5 s, and with
 * ClosedError once the bus is stopped. A call does not see one moment of all topics: each topic has its own, told as `at`.
 */
export class Inspector {
  private server: string | undefined;

  /** @internal */
  constructor(private readonly deps: InspectorDeps) {}

  /** Whether the driver can tell what it keeps. */
  get available(): boolean {
    return offersInspection(this.deps.engine);
  }

  /**
   * Topics that are stored at least once, with their groups, sorted by name; an empty list at the end. Rejects with
   * ConfigurationError for a range that cannot be.
   */
  async topics(range: InspectRange = {}): Promise<TopicInspection[]> {
    const { after, limit } = checked('inspect.topics', range);
    return (await this.provider()).inspectTopics({ after, limit });
  }

  /** Their names alone, at less cost. */
  async names(range: InspectRange = {}): Promise<string[]> {
    const { after, limit } = checked('inspect.names', range);
    return (await this.provider()).listTopics({ after, limit });
  }

  /** One topic; undefined where nothing is stored of it and nobody reads it. Rejects with TopicInvalidError. */
  async topic(topic: string, options: InspectionOptions = {}): Promise<TopicInspection | undefined> {
    assertTopic(topic);
    assertOptions('inspect.topic', options, topicKinds);
    return (await this.provider()).inspectTopic(topic, options);
  }

  /** One group of a topic; undefined where there is none. Rejects with TopicInvalidError or ConfigurationError. */
  async group(topic: string, group: string): Promise<GroupInspection | undefined> {
    assertTopic(topic);
    if (typeof group !== 'string' || group === '') throw new ConfigurationError('A group must be a name');
    const found = await (await this.provider()).inspectTopic(topic);
    return found?.groups.find(({ group: name }) => name === group);
  }

  /**
   * A page of what is kept of a topic, the oldest first: looked at, and read for no group. What every group has handled is among
   * it for a while, or not any more. Rejects with TopicInvalidError, and with ConfigurationError for a range that cannot be and
   * for a driver that cannot tell.
   */
  async messages(topic: string, options: BrowseOptions = {}): Promise<StoredMessages> {
    assertTopic(topic);
    const { engine, decoder } = this.deps;
    await this.provider();
    return browsedMessages({ engine, decoder }, topic, options);
  }

  /**
   * Why a group does not handle what it has: all reasons, the strongest first; never an empty list. Undefined where there is no
   * such group. `maxLength`: entries that publishers let the topic grow to. Rejects as `topic` does.
   */
  async explain(topic: string, group: string, maxLength = USUAL_MAX_LENGTH): Promise<Reason[] | undefined> {
    const found = await this.topic(topic);
    const one = found?.groups.find(({ group: name }) => name === group);
    if (found === undefined || one === undefined) return undefined;
    const { engine } = this.deps;
    const [hindrances, servers] = offersHindrances(engine)
      ? await Promise.all([engine.hindrances(topic, group), engine.serverMemory()])
      : [{ suspects: [] }, []];
    return reasonsOf({ topic: found, group: one, hindrances, servers, maxLength });
  }

  /**
   * The servers of the transport (`DiscoBusServer`) that answer requests now, those of other services and this process as well: all
   * are asked, and those that answer within 250 ms of the first are told; an empty list where none did within `timeout`. Those
   * of an earlier version do not say who they are. Any driver can tell.
   */
  async instances(options: InstancesOptions = {}): Promise<RpcInstance[]> {
    assertOptions('inspect.instances', options, instancesKinds);
    const timeoutMs = toMilliseconds(options.timeout ?? '1s', 'timeout', { minMs: 1 });
    const { waitingRoom, census } = this.deps;
    await waitingRoom.connected(PATIENCE_MS);
    return askInstances(census, timeoutMs);
  }

  /** The connections of this bus, right now; waits for nothing. */
  connections(): readonly ConnectionInspection[] {
    const { engine, connected } = this.deps;
    return [{ driver: engine.name, connected: connected(), server: this.server }];
  }

  /**
   * Takes note of where the driver is connected to.
   * @internal
   */
  hear(status: DriverStatus): void {
    if (status.type === 'connected') this.server = status.target;
  }

  private async provider(): Promise<InspectionProvider> {
    const { engine, waitingRoom } = this.deps;
    await waitingRoom.connected(PATIENCE_MS);
    if (offersInspection(engine)) return engine;
    throw new ConfigurationError(`The driver "${engine.name}" cannot tell what it keeps`);
  }
}

function checked(where: string, range: InspectRange): { after: string | undefined; limit: number } {
  assertOptions(where, range, rangeKinds);
  const { after, limit = USUAL_LIMIT } = range;
  if (Number.isInteger(limit) && limit >= 1 && limit <= LARGEST_LIMIT) return { after, limit };
  throw new ConfigurationError(`${where}: limit must be a whole number from 1 to ${LARGEST_LIMIT}`);
}
