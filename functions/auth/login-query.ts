import { z } from "zod";

/** How a sign-in may be asked for: where to come back to, and whether as somebody else. */
export const loginQuery = z.object({ return_to: z.string().optional(), prompt: z.literal("login").optional() });
