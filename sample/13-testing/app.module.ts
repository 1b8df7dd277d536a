import { Module } from '@nestjs/common';
import { DiscoBusModule } from 'nestjs-disco-bus';
import { Shelf } from './shelf.js';
import { Shop } from './shop.service.js';

@Module({ imports: [DiscoBusModule.forRoot({ url: 'memory:' })], providers: [Shop, Shelf] })
export class AppModule {}
