import { Injectable, Module, type OnModuleDestroy } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { BusRegistry } from './bus-registry.js';

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
