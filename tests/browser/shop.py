"""A shop whose members have striking names, and what of them nobody but the members table may hold."""

ADA, BEN, CORA, DAN = (f"KD-{number}" for number in ("140519", "234201", "314159", "481516"))
MEMBERS = f"""\
customer_id,email,phone,first_name,last_name,birthday,email_consent,sms_consent
{ADA},ada.zuckerkandl@example.com,+15555550101,Adalgisa,Zuckerkandl,1971-07-17,true,true
{BEN},ben.quetzal@example.com,+15555550102,Benvolio,Quetzalworth,1972-08-18,true,true
{CORA},cora.xanthe@example.com,+15555550103,Coralinda,Xanthippe,1973-09-19,true,true
{DAN},dan.wyvern@example.com,+15555550104,Danforth,Wyverness,1974-10-20,false,false
"""
TRANSACTIONS = f"""\
transaction_id,customer_id,occurred_at,amount
T1,{ADA},2026-01-10T12:00:00Z,2600.00
T2,{BEN},2026-01-11T12:00:00Z,2700.00
T3,{CORA},2026-01-12T12:00:00Z,1300.00
T4,{DAN},2026-01-13T12:00:00Z,99.90
T5,{ADA},2026-02-10T12:00:00Z,100.00
T6,{DAN},2026-02-11T12:00:00Z,99.90
"""
PERSONAL = sorted({cell for line in MEMBERS.splitlines()[1:] for cell in line.split(",")[:-2]})
CLOCK = "2026-04-02T10:00:00Z"
