"""Every block there is: the one list that registration, flows and tests go by."""

from blocks._settings_block import SettingsBlock
from blocks.mail_server import MailServer
from blocks.message_files import MessageFiles
from blocks.programme_database import ProgrammeDatabase
from blocks.sendgrid_email import SendGridEmail
from blocks.slack_staff import SlackStaff
from blocks.twilio_sms import TwilioSms

EVERY_FLOW: tuple[type[SettingsBlock], ...] = (ProgrammeDatabase, MessageFiles)
"""What every flow looks for as it begins."""

CHANNELS: tuple[type[SettingsBlock], ...] = (SendGridEmail, MailServer, TwilioSms, SlackStaff)
"""What a flow looks for before it delivers messages; of two for e-mail the first one counts."""

BLOCKS = EVERY_FLOW + CHANNELS
