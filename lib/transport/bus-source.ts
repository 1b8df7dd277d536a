import { Logger } from '@nestjs/common';
import { DiscoBus } from '../bus/disco-bus.js';
import { busKinds } from '../bus/options/bus-option-kinds.js';
import { transportAccess } from '../bus/transport-access.js';
import { assertUrl, driverOfUrl } from '../drivers/driver-of-url.js';
import { pickOptions } from '../errors/assert-options.js';
import { ClosedError, ConfigurationError } from '../errors/bus.errors.js';
import type { BusHolder, DiscoTransportOptions } from './transport-options.js';

/** A bus on its way: when it is there, and when it has started. */
interface Opening {
  readonly made: Promise<DiscoBus>;
  readonly started: Promise<DiscoBus>;
}

/** The bus of a server or client: one that it shares, or one of its own. */
export class BusSource {
  private current: DiscoBus | undefined;
  private opening: Opening | undefined;
  private stopping: Promise<void> = Promise.resolve();

  /**
   * They hold passwords, so they are behind a function: whoever shows this shows none. A `#private` field would not be there
   * where Nest's `instrument` puts a Proxy in front of this.
   */
  private readonly options: () => DiscoTransportOptions;

  /** Throws ConfigurationError for options that exclude each other. */
  constructor(
    options: DiscoTransportOptions,
    private readonly label: string,
  ) {
    this.options = () => options;
    const { bus, driver, url } = options;
    const { host, port, db, username, password, tls } = options;
    const address = [host, port, db, username, password, tls].find((each) => each !== undefined);
    assertUrl(label, options, (bus ?? driver ?? address) !== undefined);
    // A URL and the rest of an address are read together.
    const given = [bus, driver, url ?? address].filter((each) => each !== undefined);
    if (given.length > 1 || (url !== undefined && host !== undefined)) {
      throw new ConfigurationError(
        `${label}: bus, driver, url and host exclude each other; port, db, username, password and tls are for url or host`,
      );
    }
    const { requests = 'one' } = options;
    if (requests !== 'one' && requests !== 'every') {
      throw new ConfigurationError(`${label}: requests must be 'one' or 'every'`);
    }
  }

  /** The bus, once it is open. */
  get bus(): DiscoBus | undefined {
    return this.current;
  }

  /** Whether the bus is closed with its user. */
  get owned(): boolean {
    return this.options().bus === undefined;
  }

  /** Resolves with a bus that is started; called again it returns the same one. May be tried again after it rejected. */
  open(onMade: (bus: DiscoBus) => void = () => {}): Promise<DiscoBus> {
    return this.begin(onMade).started;
  }

  /** The same as soon as the bus takes calls, which it does from the beginning of its start. */
  made(onMade: (bus: DiscoBus) => void): Promise<DiscoBus> {
    return this.begin(onMade).made;
  }

  /**
   * Stops a bus of its own, also one that is being made; a shared one is left alone. It can be opened again, unless its
   * driver was given.
   */
  async close(): Promise<void> {
    const bus = this.current;
    this.current = undefined;
    this.opening = undefined;
    if (bus && this.owned) this.stopping = bus.stop();
    await this.stopping;
  }

  private begin(onMade: (bus: DiscoBus) => void): Opening {
    if (this.opening) return this.opening;
    const made = this.firstMake((bus) => {
      // Closed meanwhile, or even opened anew.
      if (this.opening !== opening) throw new ClosedError(`${this.label} was closed while it was connecting`);
      this.current = bus;
      onMade(bus);
    });
    const started = this.start(made).catch(async (error) => {
      if (this.opening === opening) await this.close();
      throw error;
    });
    // Who waits for one of the two need not wait for the other.
    made.catch(() => {});
    started.catch(() => {});
    const opening: Opening = { made, started };
    this.opening = opening;
    return opening;
  }

  private async start(made: Promise<DiscoBus>): Promise<DiscoBus> {
    const bus = await made;
    await bus.start();
    return bus;
  }

  private async firstMake(onMade: (bus: DiscoBus) => void): Promise<DiscoBus> {
    await this.stopping;
    const { bus: given } = this.options();
    const bus = given ? held(given) : await this.make();
    onMade(bus);
    return bus;
  }

  private async make(): Promise<DiscoBus> {
    const { logger = new Logger(this.label), connection } = this.options();
    const driver =
      this.options().driver ?? (await driverOfUrl(this.options().url, this.options(), SHARED_MEMORY));
    return new DiscoBus({
      ...pickOptions(this.options(), busKinds),
      driver,
      logger,
      connection: { critical: true, ...connection },
    });
  }
}

/** An engine that one server or one client had to itself would be of no use to it. */
const SHARED_MEMORY = 'transport';

function held(holder: BusHolder): DiscoBus {
  const bus = 'bus' in holder ? holder.bus : holder;
  if (typeof bus === 'object' && bus !== null && transportAccess.isGrantedBy(bus)) return bus;
  throw new ConfigurationError('bus must be a DiscoBus or a DiscoBusService');
}
