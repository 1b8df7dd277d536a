import { type DynamicModule, Module, type Type } from '@nestjs/common';
import { DiscoBusModule, type DiscoBusModuleOptions } from 'nestjs-disco-bus';
import { redisDriver } from 'nestjs-disco-bus/redis';

/** Embedded, unless the environment names a Redis; there the files of a dead worker go to the others after 2 s. */
function engine(): Pick<DiscoBusModuleOptions, 'url' | 'driver'> {
  const url = process.env.DISCO_BUS_URL;
  return url ? { driver: redisDriver({ url, streams: { claimAfter: '2s' } }) } : { url: 'memory:' };
}

@Module({})
export class AppModule {
  /** What this process does: coordinate, work, or both. */
  static of(...roles: Type[]): DynamicModule {
    return {
      module: AppModule,
      imports: [
        DiscoBusModule.forRoot({
          ...engine(),
          service: 'contexter',
          // Every file is looked into, whatever happens to a worker.
          topics: { 'contexter.files': { delivery: 'at-least-once' } },
        }),
      ],
      providers: roles,
    };
  }
}
