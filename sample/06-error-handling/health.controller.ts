import { Controller, Get } from '@nestjs/common';
import { HealthCheck, HealthCheckService } from '@nestjs/terminus';
import { DiscoBusHealthIndicator } from 'nestjs-disco-bus/terminus';

@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly bus: DiscoBusHealthIndicator,
  ) {}

  /** For people and alerts. One dead letter is a reason to look, and none to take the process out of service. */
  @Get()
  @HealthCheck()
  check() {
    return this.health.check([() => this.bus.check('bus', { deadLetters: 1, waiting: 1_000, oldest: '5m' })]);
  }

  /** For the readiness probe. */
  @Get('ready')
  @HealthCheck()
  ready() {
    return this.health.check([() => this.bus.ready('bus')]);
  }
}
