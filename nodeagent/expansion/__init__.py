"""Active-active expansion on this host: alone under the host lock, recorded, frozen; its barrier."""
