import { Global, Module } from '@nestjs/common';
import { DiscoveryModule, ModulesContainer } from '@nestjs/core';
import { BusDrainModule } from './bus-drain.module.js';
import { BusRegistry } from './bus-registry.js';
import { DiscoHandlers } from './handlers/disco-handlers.js';
import { HandlerExplorer } from './handlers/handler-explorer.js';
import { HandlerRegistrar } from './handlers/handler-registrar.js';
import { HandlerRunner } from './handlers/handler-runner.js';
import { LockedInstances } from './locks/locked-instances.js';

/** What the buses of one application share. Global, so that its handlers are subscribed before other bootstrap hooks run. */
@Global()
@Module({
  imports: [DiscoveryModule, BusDrainModule],
  providers: [BusRegistry, HandlerExplorer, HandlerRunner, HandlerRegistrar, DiscoHandlers, LockedInstances],
  exports: [BusRegistry, DiscoHandlers],
})
export class DiscoBusCoreModule {
  /** Its `onModuleInit` comes before all others: what the handlers agree to is known before any provider can publish. */
  constructor(modules: ModulesContainer) {
    for (const module of modules.values()) {
      if (module.metatype === DiscoBusCoreModule) module.distance = Number.POSITIVE_INFINITY;
    }
  }
}
