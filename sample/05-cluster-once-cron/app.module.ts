import { type DynamicModule, Module } from '@nestjs/common';
import { ScheduleModule } from '@nestjs/schedule';
import { DiscoBusModule } from 'nestjs-disco-bus';
import { DigestService } from './digest.service.js';
import { Journal } from './journal.js';

@Module({})
export class AppModule {
  /** One instance of the application; all of them write into the same journal, to be counted. */
  static instance(instance: number, journal: Journal): DynamicModule {
    return {
      module: AppModule,
      imports: [
        ScheduleModule.forRoot(),
        // Embedded, on a broker that applications of this process share, unless the environment names a Redis
        DiscoBusModule.forRoot({ url: process.env.DISCO_BUS_URL ?? 'memory:digest', service: 'digest' }),
      ],
      providers: [
        DigestService,
        { provide: 'INSTANCE', useValue: instance },
        { provide: Journal, useValue: journal },
      ],
    };
  }
}
