import {
  Controller,
  type DynamicModule,
  Module,
  type Type,
  UseGuards,
  VERSION_NEUTRAL,
} from '@nestjs/common';
import { ConfigurationError } from '../errors/bus.errors.js';
import { BootLine } from './boot-line.js';
import { BusActions } from './bus-actions.js';
import { BusReader } from './bus-reader.js';
import { DashboardController } from './dashboard.controller.js';
import { DashboardApi } from './dashboard-api.js';
import {
  DASHBOARD_OPTIONS,
  type DiscoDashboardOptions,
  type ResolvedDashboardOptions,
  resolveDashboardOptions,
} from './dashboard-options.js';
import { HttpAnswers } from './http-answers.js';
import { LiveOverview } from './live-overview.js';
import { ShownBuses } from './shown-buses.js';
import { WriteAccess } from './write-access.js';

/**
 * A page that shows the buses of the application, and an API behind it, on the application's own HTTP server: by Express or
 * Fastify, behind its global prefix and its guards, in all its versions. `DiscoBusModule.forRoot` has to be imported as well.
 * Without guards, whoever reaches the server sees it.
 */
@Module({})
export class DiscoDashboardModule {
  /** Throws ConfigurationError for malformed options; at the start for a bus that there is not. */
  static forRoot(options: DiscoDashboardOptions = {}): DynamicModule {
    if (typeof options !== 'object' || options === null)
      throw new ConfigurationError('The options of DiscoDashboardModule must be an object');
    const resolved = resolveDashboardOptions(options);
    return {
      module: DiscoDashboardModule,
      imports: [...resolved.imports],
      controllers: [controllerOf(resolved)],
      providers: [
        { provide: DASHBOARD_OPTIONS, useValue: resolved },
        ShownBuses,
        BusReader,
        BusActions,
        DashboardApi,
        HttpAnswers,
        LiveOverview,
        WriteAccess,
        BootLine,
      ],
    };
  }
}

/** A controller of its own for each module: path and guards are told to a class. */
function controllerOf({ path, guards }: ResolvedDashboardOptions): Type<DashboardController> {
  @Controller({ path, version: VERSION_NEUTRAL })
  @UseGuards(...guards)
  class DiscoDashboardController extends DashboardController {}
  return DiscoDashboardController;
}
