import { randomBytes } from "node:crypto";
import type { Instant } from "../brand.ts";
import { SallyportError } from "../errors.ts";
import type { DeviceCodeHash, SignInStore, UserCode } from "../ports/sign-in-store.ts";
import {
  DEVICE_LIFETIME_MS,
  MAX_PENDING_DEVICES,
  MAX_PENDING_DEVICES_PER_ADDRESS,
  mintDeviceCode,
  mintUserCode,
} from "./device-sign-in.ts";

/** Who asks to act for a person. */
interface Asking {
  readonly address: string;
  /** What the person reads it calls itself. */
  readonly label: string;
  /** The one SSH connection that is asked for; undefined: a session of the command line. */
  readonly connection: string | undefined;
}

export interface NewDeviceRequest {
  /** The device code itself: whoever has it gets what the person agrees to. */
  readonly deviceCode: string;
  readonly hash: DeviceCodeHash;
  readonly userCode: UserCode;
  readonly expiresAt: Instant;
}

/** Keeps a new request, for a person to decide on. Throws `limit-exceeded` where too many wait already, `store-unavailable`. */
export async function requestDevice(
  signIns: Pick<SignInStore, "countPending" | "putDevice">,
  asking: Asking,
  now: Instant,
): Promise<NewDeviceRequest> {
  const { total, fromAddress } = await signIns.countPending(asking.address, now);
  if (total >= MAX_PENDING_DEVICES || fromAddress >= MAX_PENDING_DEVICES_PER_ADDRESS)
    throw new SallyportError("limit-exceeded", "too many devices wait for a sign-in", {
      hint: "try again in ten minutes",
    });
  const { text, hash } = mintDeviceCode(randomBytes);
  const userCode = mintUserCode(randomBytes);
  const expiresAt = now + DEVICE_LIFETIME_MS;
  await signIns.putDevice({ ...asking, deviceCode: hash, userCode, requestedAt: now, expiresAt });
  return { deviceCode: text, hash, userCode, expiresAt };
}
