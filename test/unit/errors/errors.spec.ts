import { DiscoBusError, isDiscoBusError } from '../../../lib/errors/disco-bus-error.js';
import { HandlerTimeoutError } from '../../../lib/errors/handler.errors.js';
import { TopicEmptyError, TopicInvalidError } from '../../../lib/errors/message.errors.js';

describe('the error family', () => {
  it('is known by code, also across copies of the package', () => {
    const foreign = Object.assign(new Error('x'), {
      [Symbol.for('nestjs-disco-bus.error')]: true,
      code: 'DISCO_CODEC',
    });
    expect(isDiscoBusError(foreign)).toBe(true);
    expect(isDiscoBusError(foreign, 'DISCO_CODEC')).toBe(true);
    expect(isDiscoBusError(foreign, 'DISCO_CLOSED')).toBe(false);
    expect(
      [new Error('x'), null, undefined, 'x', { code: 'DISCO_CODEC' }].map((each) => isDiscoBusError(each)),
    ).toEqual(Array(5).fill(false));
  });

  it('carries a name, a stack and the family tree', () => {
    const error = new TopicEmptyError();
    expect(error).toBeInstanceOf(TopicInvalidError);
    expect(error).toBeInstanceOf(DiscoBusError);
    expect([error.name, error.code, error.retryable]).toEqual([
      'TopicEmptyError',
      'DISCO_TOPIC_INVALID',
      false,
    ]);
    expect(new HandlerTimeoutError('orders', 5).retryable).toBe(true);
  });
});
