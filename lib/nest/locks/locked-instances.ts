import { Injectable, type OnModuleInit } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import { BusRegistry } from '../bus-registry.js';
import { BUSES, hasLockedMethods } from './with-lock.decorator.js';

/** Gives the buses to instances with `@WithLock` that Nest was handed ready-made, by `useValue` or `useFactory`. */
@Injectable()
export class LockedInstances implements OnModuleInit {
  constructor(
    private readonly discovery: DiscoveryService,
    private readonly registry: BusRegistry,
  ) {}

  onModuleInit(): void {
    for (const { isAlias, isNotMetatype, instance } of this.discovery.getProviders()) {
      const readyMade = isNotMetatype && !isAlias && Object.isExtensible(instance);
      if (readyMade && hasLockedMethods(instance)) instance[BUSES] = this.registry;
    }
  }
}
