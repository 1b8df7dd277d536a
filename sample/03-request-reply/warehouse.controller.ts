import { Controller, Inject } from '@nestjs/common';
import { MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { map, type Observable, take, tap, timer } from 'rxjs';

/** The name of this instance of the service. */
export const INSTANCE = Symbol('INSTANCE');

export interface Stock {
  readonly item: string;
  readonly count: number;
  /** Which instance has answered. */
  readonly from: string;
}

const shelves = new Map([
  ['mirror ball', 12],
  ['fog machine', 3],
]);

@Controller()
export class WarehouseController {
  constructor(@Inject(INSTANCE) private readonly instance: string) {}

  /** One of all instances answers. What it throws as an RpcException reaches the caller as it is. */
  @MessagePattern({ cmd: 'stock' })
  stock(@Payload() item: string): Stock {
    const count = shelves.get(item);
    if (count === undefined) throw new RpcException({ status: 404, message: `there is no ${item}` });
    return { item, count, from: this.instance };
  }

  /** A reply in many parts. A caller that has enough unsubscribes, and that ends the Observable here as well. */
  @MessagePattern({ cmd: 'watch' })
  watch(@Payload() item: string): Observable<Stock> {
    return timer(0, 20).pipe(
      take(3),
      tap(() => shelves.set(item, (shelves.get(item) ?? 0) - 1)),
      map(() => this.stock(item)),
    );
  }
}
