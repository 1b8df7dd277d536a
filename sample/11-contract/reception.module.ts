import { Module } from '@nestjs/common';
import { DiscoBusModule } from 'nestjs-disco-bus';
import { peopleBefore } from './contract/people.js';
import { url } from './url.js';

/** The service that is a version behind: it publishes people, and asks for them. */
@Module({
  imports: [DiscoBusModule.forRoot({ url, service: 'reception', contract: peopleBefore })],
})
export class ReceptionModule {}
