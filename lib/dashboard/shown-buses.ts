import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { NotConnectedError } from '../errors/bus.errors.js';
import { type BusEntry, BusRegistry } from '../nest/bus-registry.js';
import type { DiscoBusService } from '../nest/disco-bus.service.js';
import { notFound, within } from './api-error.js';
import { DASHBOARD_OPTIONS, type ResolvedDashboardOptions } from './dashboard-options.js';

/** How long a question to a bus may take: drivers give up earlier, and say more. */
export const ANSWER_MS = 6_000;

/** The buses that the dashboard shows. */
@Injectable()
export class ShownBuses implements OnApplicationBootstrap {
  constructor(
    private readonly registry: BusRegistry,
    @Inject(DASHBOARD_OPTIONS) private readonly options: ResolvedDashboardOptions,
  ) {}

  /** Throws ConfigurationError for a bus of the options that there is not. */
  onApplicationBootstrap(): void {
    for (const name of this.options.buses ?? [])
      this.registry.named(name, `The dashboard is to show the bus ${JSON.stringify(name)}, but`);
  }

  get names(): readonly string[] {
    return this.options.buses ?? this.registry.names;
  }

  /** @default the first. Throws a 404 for one that is not shown. */
  named(name: string | undefined): BusEntry {
    const entry = this.registry.get(name ?? this.names[0]);
    if (entry !== undefined && this.names.includes(entry.name)) return entry;
    const known = this.names.map((each) => `"${each}"`).join(', ');
    throw notFound(`There is no bus ${JSON.stringify(name ?? '')}; there are ${known || 'none'}`);
  }

  /** What `ask` resolves with. Rejects at once where there is no connection, and after 6 s in any case. */
  async ask<Answer>(entry: BusEntry, ask: (bus: DiscoBusService) => Promise<Answer>): Promise<Answer> {
    const { service, name } = entry;
    if (!service.connected) throw new NotConnectedError(`The bus "${name}" has no connection to its server`);
    return within(ANSWER_MS, `The server of the bus "${name}"`, ask(service));
  }

  /** What can be told of a bus without asking its server. */
  told({ name, service }: BusEntry) {
    const [{ driver, server }] = service.inspect.connections();
    const { connected, state } = service;
    return { bus: name, service: service.bus.service, driver, server, connected, state };
  }
}
