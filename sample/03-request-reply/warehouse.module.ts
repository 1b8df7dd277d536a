import { type DynamicModule, Module } from '@nestjs/common';
import { INSTANCE, WarehouseController } from './warehouse.controller.js';

@Module({ controllers: [WarehouseController] })
export class WarehouseModule {
  /** One instance of the service. */
  static named(instance: string): DynamicModule {
    return { module: WarehouseModule, providers: [{ provide: INSTANCE, useValue: instance }] };
  }
}
