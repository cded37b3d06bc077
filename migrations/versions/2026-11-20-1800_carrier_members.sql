-- Every statement of the application has its tenant as one condition more. While statistics lag behind a burst, that
-- condition looks as sharp as the carrier, and all that the tenant ever had is read to find the few members of one.
CREATE INDEX notifications_members ON notifications (carrier_id, tenant_id) WHERE carrier_id IS NOT NULL;
-- ;;
DROP INDEX notifications_carrier;
