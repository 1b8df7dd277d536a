import { ReplyStream } from '../bus/requests/reply-stream.js';
import { isPayloadInvalid } from '../errors/handler.errors.js';
import { isThenable } from '../middleware/middleware.js';
import { tellableFailure } from './tellable-failure.js';

/** What a schema makes of the data of a request, or a promise of it. */
export type Check = (data: unknown) => unknown;

/** `answer` to what a schema makes of `data`. Where it does not fit, `onRefused` is told and the client is told why. */
export function checkedAnswer(
  check: Check,
  data: unknown,
  answer: (data: unknown) => ReplyStream,
  onRefused: (error: unknown) => void,
): ReplyStream | Promise<ReplyStream> {
  const refused = (error: unknown) => {
    onRefused(error);
    const refusal = isPayloadInvalid(error) ? error : undefined;
    return failing(tellableFailure(refusal ? undefined : error, refusal));
  };
  try {
    const taken = check(data);
    return isThenable(taken) ? (taken as Promise<unknown>).then(answer, refused) : answer(taken);
  } catch (error) {
    return refused(error);
  }
}

/** Replies that are one failure. */
export function failing(failure: unknown): ReplyStream {
  return new ReplyStream((sink) => {
    sink.fail(failure);
    return undefined;
  });
}
