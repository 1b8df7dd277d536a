import { Global, Injectable, Module, type OnModuleDestroy } from '@nestjs/common';
import { DiscoveryModule, ModulesContainer } from '@nestjs/core';
import { BusRegistry } from './bus-registry.js';
import { DiscoHandlers } from './handlers/disco-handlers.js';
import { EventRegistrar } from './handlers/event-registrar.js';
import { HandlerExplorer } from './handlers/handler-explorer.js';
import { HandlerRegistrar } from './handlers/handler-registrar.js';
import { HandlerRunner } from './handlers/handler-runner.js';
import { NestTools } from './handlers/nest-tools.js';
import { DiscoHealth } from './health/disco-health.js';
import { LockedInstances } from './locks/locked-instances.js';

/** Lets handlers finish before anything that they use is torn down. */
@Injectable()
export class BusDrain implements OnModuleDestroy {
  /**
   * Nest destroys modules by their distance from the root, the nearest first and global ones last. A module nearer than
   * the root comes before all others: the providers of the application still work while the handlers finish.
   */
  constructor(
    private readonly registry: BusRegistry,
    modules: ModulesContainer,
  ) {
    for (const module of modules.values()) {
      if (module.metatype === BusDrainModule) module.distance = -1;
    }
  }

  onModuleDestroy(): Promise<void> {
    return this.registry.drain();
  }
}

/** The first module of the application to be destroyed. */
@Module({ providers: [BusDrain] })
export class BusDrainModule {}

/** What the buses of one application share. Global, so that its handlers are subscribed before other bootstrap hooks run. */
@Global()
@Module({
  imports: [DiscoveryModule, BusDrainModule],
  providers: [
    BusRegistry,
    HandlerExplorer,
    HandlerRunner,
    HandlerRegistrar,
    NestTools,
    EventRegistrar,
    DiscoHandlers,
    DiscoHealth,
    LockedInstances,
  ],
  exports: [BusRegistry, DiscoHandlers, DiscoHealth],
})
export class DiscoBusCoreModule {
  /** Its `onModuleInit` comes before all others: what the handlers agree to is known before any provider can publish. */
  constructor(modules: ModulesContainer) {
    for (const module of modules.values()) {
      if (module.metatype === DiscoBusCoreModule) module.distance = Number.POSITIVE_INFINITY;
    }
  }
}
