import { setTimeout as delay } from "node:timers/promises";
import { serialize } from "pg-protocol/dist/serializer.js";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Principal, PrincipalId } from "../../core/identity/principal.ts";
import { answer } from "../../core/approval/state.ts";
import { transition } from "../../core/approval/transition.ts";
import type { Approval } from "../../core/ports/approval-store.ts";
import type { Policies } from "../../core/policy/verdict.ts";
import { BLOCKING, HOLDING, policiesOf } from "../setup/policies.ts";
import { postgresServers } from "../setup/postgres.ts";
import { startShop, type ShopJourney } from "../setup/shop-journey.ts";
import { terminal, type Terminal } from "../setup/terminal.ts";
import { cancelRequest, connectWire, errorText, logIn, type WireClient } from "../setup/wire-client.ts";

const BOB: Principal = { kind: "user", id: "test|Bob" as PrincipalId, name: "Bob", groups: ["dba"] };
