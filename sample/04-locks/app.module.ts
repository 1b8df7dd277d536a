import { Module } from '@nestjs/common';
import { DiscoBusModule } from 'nestjs-disco-bus';
import { ReportService } from './report.service.js';

@Module({
  imports: [
    // Embedded, on a broker that applications of this process share, unless the environment names a Redis
    DiscoBusModule.forRoot({
      url: process.env.DISCO_BUS_URL ?? 'memory:report',
      service: 'report',
      lock: { wait: '30s' },
    }),
  ],
  providers: [ReportService],
})
export class AppModule {}
